"""What only a neighbour can be shown: a refresh token, and places in a status list that is not ours."""

from typing import Any

from tests.security.forging import Real, forged
from tokens.core import keys


def real_of(pair: dict[str, str], entry: keys.Jwk) -> Real:
    """Return a good pair of tokens with the private key that signs them."""
    key = keys.parse_jwks({"keys": [entry | {"state": keys.CURRENT}]}).current
    return Real(pair["access_token"], pair["refresh_token"], key)


def all_of(real: Real, elsewhere: str) -> dict[str, str]:
    """Return everything that no neighbour may accept, by name. Forgeries that name a site name `elsewhere`."""
    return {
        **forged(real.access, real.key, elsewhere),
        "a refresh token": real.refresh,
        **_of_other_places(real, elsewhere),
    }


def _of_other_places(real: Real, elsewhere: str) -> dict[str, str]:
    ours = real.claims["status"]["status_list"]

    def at(**members: Any) -> str:
        return real.signed(status={"status_list": ours | members})

    return {
        "of a status list elsewhere": at(uri=f"{elsewhere}/status"),
        "of a status list below ours": at(uri=f"{ours['uri']}/../x"),
        **{f"at the place {idx!r}": at(idx=idx) for idx in (2**20, -1, 0.5, True, "0", None)},
        **{f"with the status {status!r}": real.signed(status=status) for status in ("", None, {})},
        "with a status list that is text": real.signed(status={"status_list": "x"}),
    }
