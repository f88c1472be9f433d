"""How often somebody may try what can be guessed, or what costs.

Growing pauses and no lock-out: a stranger who tries somebody's password shuts buckets of their own, and those that they
share with the account's owner open again within a minute. A browser in which the owner has signed in before has a
bucket to itself, which no stranger can shut. docs/reference/accounts.md shows the figures.
"""

import logging
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network

from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext_lazy

from accounts.models import User
from accounts.security import known_browsers, rate_limit
from accounts.security.rate_limit import Bucket, Rate
from accounts.security.validators import normalize_email_domain
from accounts.signals import attempt_throttled
from tokens import client

logger = logging.getLogger("accounts")

HOUR = 60 * 60
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Limit:
    """Whose attempts are counted together, each at a rate of its own; None: these are not."""

    name: str
    visitor_and_account: Rate | None = None  # those of one visitor at one account
    visitor: Rate | None = None  # those of one visitor, whatever they are for
    account: Rate | None = None  # those at one account, whoever makes them


# A person who mistypes needs a few, and one who has several passwords a few more. NIST SP 800-63B §3.2.2 lets at most a
# hundred guesses in a row pass without resistance. An office behind one address makes mistakes, too, and shares a
# bucket: so that one opens often.
SIGN_IN = Limit(
    "sign-in",
    visitor_and_account=Rate(free=10, first=10, longest=15 * 60, window=DAY),
    visitor=Rate(free=100, first=1, longest=10, window=HOUR),
    account=Rate(free=100, first=1, longest=60, window=DAY),
)

# Each costs a hash, a row and a mail. A class that signs up together is one visitor.
SIGN_UP = Limit(
    "sign-up",
    visitor=Rate(free=50, first=5, longest=5 * 60, window=HOUR),
    account=Rate(free=5, first=60, longest=10 * 60, window=DAY),
)

# Each writes to somebody. Whoever is held up by a stranger has the mail that the stranger asked for.
RESET = Limit(
    "reset",
    visitor_and_account=Rate(free=5, first=60, longest=HOUR, window=DAY),
    visitor=Rate(free=30, first=10, longest=10 * 60, window=HOUR),
    account=Rate(free=10, first=60, longest=10 * 60, window=DAY),
)

# The same for the mail that asks whether an address is yours; anybody can say that a stranger's is theirs.
RESEND = Limit(
    "resend",
    visitor_and_account=Rate(free=3, first=60, longest=HOUR, window=DAY),
    visitor=Rate(free=30, first=10, longest=10 * 60, window=HOUR),
    account=Rate(free=10, first=60, longest=10 * 60, window=DAY),
)

# Who can try this holds the sign-in already, be it a thief with a copied jar or a colleague at an unlocked screen.
REAUTHENTICATION = Limit(
    "reauthentication",
    visitor_and_account=Rate(free=5, first=10, longest=15 * 60, window=DAY),
    account=Rate(free=20, first=1, longest=60, window=DAY),
)

# One in a million guesses is right, and each code takes few of them: this is for who has many codes sent.
CODE = Limit(
    "code",
    visitor_and_account=Rate(free=5, first=60, longest=HOUR, window=DAY),
    account=Rate(free=20, first=60, longest=10 * 60, window=DAY),
)

# The answer says whether somebody has a name. A person looks for a free one a few times in a life.
USERNAME = Limit("username", account=Rate(free=10, first=60, longest=HOUR, window=DAY))


class Throttled(ValidationError):
    """It was tried too often; whole seconds to wait in `retry_after`.

    Raised while a form is cleaned, it is an error of that form, which keeps what was typed. Elsewhere it is answered by
    a page that says when. Both are a 429 (accounts/middleware.py).
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        words, n = (_SECONDS, retry_after) if retry_after < 100 else (_MINUTES, -(-retry_after // 60))
        super().__init__(words, code="throttled", params={"n": n})

    @property
    def sentence(self) -> str:
        return str(self.messages[0])


_SECONDS = ngettext_lazy(
    "There were too many attempts. Please try again in %(n)d second.",
    "There were too many attempts. Please try again in %(n)d seconds.",
    "n",
)
_MINUTES = ngettext_lazy(
    "There were too many attempts. Please try again in %(n)d minute.",
    "There were too many attempts. Please try again in %(n)d minutes.",
    "n",
)


def hit(request: HttpRequest, limit: Limit, account: User | str = "") -> None:
    """Count an attempt, before it is made: at `account`, and for the visitor who makes it. Raises Throttled.

    `account` is the person, or what was typed where nobody has that name (`owner`): the answer tells no difference.
    """
    at_account, of_visitor = _buckets(request, limit, account)
    if seconds := rate_limit.acquire([*at_account, *of_visitor]):
        attempt_throttled.send(Limit, request=request, limit=limit.name)
        logger.info("An attempt has to wait.", extra={"kind": "throttled", "limit": limit.name})
        throttled = Throttled(seconds)
        request.throttled = throttled  # type: ignore[attr-defined]  # for the middleware, should a form catch it
        raise throttled


def allows(form: BaseForm, request: HttpRequest, limit: Limit, account: User | str = "") -> bool:
    """The same for a `form` that is in order otherwise: if False, it says when, and keeps what was typed."""
    try:
        hit(request, limit, account)
    except Throttled as throttled:
        form.add_error(None, throttled)
    return form.is_valid()


def reset(request: HttpRequest, limit: Limit, account: User | str = "") -> None:
    """The attempt that was taken has succeeded: those at this account are forgotten.

    Of the visitor's others only this one is, or somebody with an account of their own would sign in to it between
    guesses at other people's.
    """
    at_account, of_visitor = _buckets(request, limit, account)
    rate_limit.reset(at_account)
    rate_limit.release(of_visitor)


def account_key(login: str) -> User | str:
    """Whose account it is, by name or address; what was typed, if it is nobody's.

    Spellings that are one where a name is nobody's are one where it is somebody's, too: or a second one, tried at a
    bucket that is shut, would tell which of the two it is.
    """
    return User.objects.by_login(_normalized(login)).first() or login


def _buckets(request: HttpRequest, limit: Limit, account: User | str) -> tuple[list[Bucket], list[Bucket]]:
    """Those at the account, and that of the visitor. A browser in which the account's owner has signed in before has
    one of its own in the place of them all."""
    name, visitor = _account_text(account), _visitor_network(request)
    browser = known_browsers.from_request(request)
    if limit.visitor_and_account and browser and isinstance(account, User) and browser.knows(account):
        return _bucket(limit, "browser", limit.visitor_and_account, browser.id, name), []
    return [
        *_bucket(limit, "visitor and account", limit.visitor_and_account, visitor, name),
        *_bucket(limit, "account", limit.account, name),
    ], _bucket(limit, "visitor", limit.visitor, visitor)


def _bucket(limit: Limit, kind: str, rate: Rate | None, *who: str) -> list[Bucket]:
    if rate is None or not all(who):
        return []
    digest = salted_hmac(
        "accounts.security.throttle", "\n".join((limit.name, kind, *who)), algorithm="sha256"
    ).hexdigest()
    return [Bucket(f"throttle:{digest}", rate)]


def _account_text(account: User | str) -> str:
    """One text for all ways to write the same account; people and what is nobody's never meet in one."""
    if isinstance(account, User):
        return f"person {account.pk}"
    folded = normalize_email_domain(_normalized(account)).lower()  # as `by_login` folds
    return f"text {folded}" if folded else ""


def _normalized(typed: str) -> str:
    """As user names are stored."""
    return unicodedata.normalize("NFKC", typed).strip()


def _visitor_network(request: HttpRequest) -> str:
    """The visitor's address; of IPv6 the first half, which is one line's, and within it any address is free to take.

    Where the server tells no address there is no visitor to count for: all of them would be one, and anybody could shut
    the buckets of everybody.
    """
    client_ip = client.ip_address(request)
    if client_ip is None:
        return ""
    parsed = ip_address(client_ip)
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
