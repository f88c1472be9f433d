"""How often somebody may try what can be guessed, or what costs.

Growing pauses and no lock-out: a stranger who tries somebody's password shuts gates of their own, and those that they
share with the account's owner open again within a minute. A browser in which the owner has signed in before has a gate
to itself, which no stranger can shut. docs/account.md shows the figures.
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

from accounts import browsers, gates
from accounts.gates import Gate, Pace
from accounts.metrics import count_throttled
from accounts.models import User
from accounts.validators import with_ascii_host
from tokens import client

logger = logging.getLogger("accounts")

HOUR = 60 * 60
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Limit:
    """Whose attempts are counted together, each at a pace of its own; None: these are not."""

    name: str
    visitor_and_account: Pace | None = None  # those of one visitor at one account
    visitor: Pace | None = None  # those of one visitor, whatever they are for
    account: Pace | None = None  # those at one account, whoever makes them


# A person who mistypes needs a few, and one who has several passwords a few more. NIST SP 800-63B §3.2.2 lets at most a
# hundred guesses in a row pass without resistance. An office behind one address makes mistakes, too, and shares a gate:
# so that one opens often.
SIGN_IN = Limit(
    "sign-in",
    visitor_and_account=Pace(free=10, first=10, longest=15 * 60, window=DAY),
    visitor=Pace(free=100, first=1, longest=10, window=HOUR),
    account=Pace(free=100, first=1, longest=60, window=DAY),
)

# Each costs a hash, a row and a mail. A class that signs up together is one visitor.
SIGN_UP = Limit(
    "sign-up",
    visitor=Pace(free=50, first=5, longest=5 * 60, window=HOUR),
    account=Pace(free=5, first=60, longest=10 * 60, window=DAY),
)

# Each writes to somebody. Whoever is held up by a stranger has the mail that the stranger asked for.
RESET = Limit(
    "reset",
    visitor_and_account=Pace(free=5, first=60, longest=HOUR, window=DAY),
    visitor=Pace(free=30, first=10, longest=10 * 60, window=HOUR),
    account=Pace(free=10, first=60, longest=10 * 60, window=DAY),
)

# The same for the mail that asks whether an address is yours; anybody can say that a stranger's is theirs.
RESEND = Limit(
    "resend",
    visitor_and_account=Pace(free=3, first=60, longest=HOUR, window=DAY),
    visitor=Pace(free=30, first=10, longest=10 * 60, window=HOUR),
    account=Pace(free=10, first=60, longest=10 * 60, window=DAY),
)

# Who can try this holds the sign-in already, be it a thief with a copied jar or a colleague at an unlocked screen.
PROOF = Limit(
    "proof",
    visitor_and_account=Pace(free=5, first=10, longest=15 * 60, window=DAY),
    account=Pace(free=20, first=1, longest=60, window=DAY),
)

# One in a million guesses is right, and each code takes few of them: this is for who has many codes sent.
CODE = Limit(
    "code",
    visitor_and_account=Pace(free=5, first=60, longest=HOUR, window=DAY),
    account=Pace(free=20, first=60, longest=10 * 60, window=DAY),
)

# The answer says whether somebody has a name. A person looks for a free one a few times in a life.
NAME = Limit("name", account=Pace(free=10, first=60, longest=HOUR, window=DAY))


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


def take(request: HttpRequest, limit: Limit, account: User | str = "") -> None:
    """Count an attempt, before it is made: at `account`, and for the visitor who makes it. Raises Throttled.

    `account` is the person, or what was typed where nobody has that name (`owner`): the answer tells no difference.
    """
    at_account, of_visitor = _gates(request, limit, account)
    if seconds := gates.enter([*at_account, *of_visitor]):
        count_throttled(limit.name)
        logger.info("An attempt has to wait.", extra={"kind": "throttled", "limit": limit.name})
        throttled = Throttled(seconds)
        request.throttled = throttled  # type: ignore[attr-defined]  # for the middleware, should a form catch it
        raise throttled


def admits(form: BaseForm, request: HttpRequest, limit: Limit, account: User | str = "") -> bool:
    """The same for a `form` that is in order otherwise: if False, it says when, and keeps what was typed."""
    try:
        take(request, limit, account)
    except Throttled as throttled:
        form.add_error(None, throttled)
    return form.is_valid()


def forgive(request: HttpRequest, limit: Limit, account: User | str = "") -> None:
    """The attempt that was taken has succeeded: those at this account are forgotten.

    Of the visitor's others only this one is, or somebody with an account of their own would sign in to it between
    guesses at other people's.
    """
    at_account, of_visitor = _gates(request, limit, account)
    gates.reopen(at_account)
    gates.give_back(of_visitor)


def owner(name_or_address: str) -> User | str:
    """Whose account it is, by name or address; what was typed, if it is nobody's.

    Spellings that are one where a name is nobody's are one where it is somebody's, too: or a second one, tried at a
    gate that is shut, would tell which of the two it is.
    """
    return User.objects.named(_plain(name_or_address)).first() or name_or_address


def _gates(request: HttpRequest, limit: Limit, account: User | str) -> tuple[list[Gate], list[Gate]]:
    """Those at the account, and that of the visitor. A browser in which the account's owner has signed in before has
    one of its own in the place of them all."""
    name, visitor = _name(account), _visitor(request)
    browser = browsers.of(request)
    if limit.visitor_and_account and browser and isinstance(account, User) and browser.knows(account):
        return _gate(limit, "browser", limit.visitor_and_account, browser.id, name), []
    return [
        *_gate(limit, "visitor and account", limit.visitor_and_account, visitor, name),
        *_gate(limit, "account", limit.account, name),
    ], _gate(limit, "visitor", limit.visitor, visitor)


def _gate(limit: Limit, kind: str, pace: Pace | None, *who: str) -> list[Gate]:
    if pace is None or not all(who):
        return []
    digest = salted_hmac("accounts.throttle", "\n".join((limit.name, kind, *who)), algorithm="sha256").hexdigest()
    return [Gate(f"throttle:{digest}", pace)]


def _name(account: User | str) -> str:
    """One text for all ways to write the same account; people and what is nobody's never meet in one."""
    if isinstance(account, User):
        return f"person {account.pk}"
    folded = with_ascii_host(_plain(account)).lower()  # as `named` folds
    return f"text {folded}" if folded else ""


def _plain(typed: str) -> str:
    """As user names are stored."""
    return unicodedata.normalize("NFKC", typed).strip()


def _visitor(request: HttpRequest) -> str:
    """The visitor's address; of IPv6 the first half, which is one line's, and within it any address is free to take.

    Where the server tells no address there is no visitor to count for: all of them would be one, and anybody could shut
    the gates of everybody.
    """
    address = client.ip_address(request)
    if address is None:
        return ""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
