"""Keys rotate while somebody comes and goes at the site and its neighbours, and nobody notices."""

import json
from time import sleep, time

import pytest

from tests.interop.forgeries import real_of
from tests.security.forging import part
from tests.smtp import wait_until
from tokens.core import keys

pytestmark = [pytest.mark.once, pytest.mark.slow]

PAUSE = 5.2  # seconds; a neighbour waits for five before it fetches keys for another kid that it does not know


def test_nobody_notices_two_rotations_and_a_retirement(settled, beside):
    home = settled("ES256", TOKENS_ACCESS_LIFETIME="15")
    services = beside(home.issuer, home.alg)
    pair = home.sign_in("bob")
    real = real_of(pair, home.key())
    leaked = real.signed(exp=int(time()) + 900)  # whoever has a key makes what they want of it

    def both(token):
        return [service.get("/me", token).status for service in services.values()]

    def fetched(document):
        return [service.fetched(document) for service in services.values()]

    def renewed_by(kid):
        """Renew the tokens, which both neighbours take; whether this key has signed them."""
        nonlocal pair
        pair = home.ask("auth/refresh", pair["refresh_token"])
        assert both(pair["access_token"]) == [200, 200]
        return json.loads(part(pair["access_token"], 0))["kid"] == kid

    assert both(pair["access_token"]) == [200, 200]
    for times in (1, 2):
        new = home.key(keys.NEXT)["kid"]
        home.tokenkeys("rotate", "--force")
        assert home.key()["kid"] == new
        wait_until(lambda new=new: renewed_by(new))
        # The first key was known before it signed. The second came so soon that it was not; with a period between them
        # it would have been.
        assert fetched("jwks.json") == [times, times]
        sleep(PAUSE)
    assert both(leaked) == [200, 200]
    home.tokenkeys("retire", "--force", "--", real.key.kid)
    wait_until(lambda: both(real.signed({"kid": "of nobody's"})) and both(leaked) == [401, 401])
    wait_until(lambda: renewed_by(new))
    assert all(times > 1 for times in fetched("status-list"))  # its ttl is a second
