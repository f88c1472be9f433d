"""Limit how often a visitor may try what can be guessed or what is expensive.

Pauses grow and no account is ever locked: a stranger who guesses a user's password blocks buckets of their own, and
those that they share with an owner who is elsewhere open again within a minute. A browser in which the owner has signed
in before has a bucket of its own, which no stranger can block. The figures are in limits.py.
"""

import logging
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from secrets import randbelow
from typing import NoReturn

from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy, ngettext_lazy

from accounts.models import User
from accounts.security import hashers, known_browsers, rate_limit
from accounts.security.limits import HOUR, Limit
from accounts.security.normalization import normalize_login
from accounts.security.rate_limit import Bucket, Rate
from accounts.signals import attempt_throttled
from tokens import client

logger = logging.getLogger("accounts")

_SALT = "accounts.security.throttle"
RETRY_AFTER = 5  # seconds, in which two cores make some forty hashes


class Throttled(ValidationError):
    """Report that there were too many attempts; `retry_after` is in whole seconds.

    Raised while a form is cleaned, it is an error of that form, which keeps what was typed. Elsewhere it is answered by
    a page that says when to try again. Both have the same status (accounts/middleware.py).
    """

    status = 429
    # For the script that counts down; it puts the time in place of the braces.
    countdown = gettext_lazy("Too many attempts. Please try again in {}.")

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        words, n = (_SECONDS, retry_after) if retry_after < 100 else (_MINUTES, -(-retry_after // 60))
        super().__init__(words, code="throttled", params={"n": n})

    @property
    def sentence(self) -> str:
        """Return the message for the user."""
        return str(self.messages[0])


class Overloaded(Throttled):
    """Report that too many requests are hashing; unlike other attempts, it was not counted.

    A crowd that was turned away at once does not come back at once.
    """

    status = 503
    countdown = gettext_lazy("We're very busy right now. Please try again in {}.")

    def __init__(self) -> None:
        self.retry_after = RETRY_AFTER + randbelow(2 * RETRY_AFTER + 1)
        ValidationError.__init__(self, _OVERLOADED, code="overloaded")


_OVERLOADED = gettext_lazy("We're very busy right now. Please try again in a few seconds.")
_SECONDS = ngettext_lazy(
    "Too many attempts. Please try again in %(n)d second.",
    "Too many attempts. Please try again in %(n)d seconds.",
    "n",
)
_MINUTES = ngettext_lazy(
    "Too many attempts. Please try again in %(n)d minute.",
    "Too many attempts. Please try again in %(n)d minutes.",
    "n",
)


def wait_to_hash(request: HttpRequest, limit: Limit) -> None:
    """Join the queue for hashes, if the attempts hash, and wait for this request's turn. Raise Overloaded.

    A view that strangers may crowd does so first of all: whoever has to wait or is turned away costs next to nothing.
    """
    if limit.hashing and not (hashers.queue.join(request, limit.hashing) and hashers.queue.wait_for_slot(request)):
        _refuse(request, "hashing", Overloaded())


def check_capacity(request: HttpRequest, limit: Limit) -> None:
    """Raise Overloaded if the queue for hashes is full for such attempts, without joining it."""
    if hashers.queue.is_full(limit.hashing):
        _refuse(request, "hashing", Overloaded())


def hit(request: HttpRequest, limit: Limit, account: User | str = "", guess: str = "") -> None:
    """Count an attempt before it is made, both at `account` and for the visitor. Raise Throttled.

    An attempt that hashes joins the queue first, which the request leaves when it is answered.

    `account` is the user, or what was typed if no account has that name (see `account_key`), so that the response does
    not reveal whether the account exists. A visitor who repeats the same wrong `guess` at the same account is only
    counted among the repeats.
    """
    if limit.hashing and not hashers.queue.join(request, limit.hashing):
        _refuse(request, "hashing", Overloaded())
    if seconds := _acquire(request, limit, account, guess):
        _refuse(request, limit.name, Throttled(seconds))
    if seconds := _acquire_site(request, limit, account):
        _refuse(request, f"{limit.name}, whole site", Throttled(seconds))


def allows(form: BaseForm, request: HttpRequest, limit: Limit, account: User | str = "") -> bool:
    """Count an attempt like `hit`, but add Throttled to `form`; return whether the form is still valid."""
    try:
        hit(request, limit, account)
    except Throttled as throttled:
        form.add_error(None, throttled)
    return form.is_valid()


def reset(request: HttpRequest, limit: Limit, account: User | str = "") -> None:
    """Forget the attempts at this account, after the present one has succeeded.

    Of the visitor's own attempts only this one is released. Otherwise somebody with an account of their own could sign
    in to it between guesses at other people's.
    """
    at_account, of_visitor = _buckets(request, limit, account)
    rate_limit.reset(at_account)
    rate_limit.release(of_visitor)


def account_key(login: str) -> User | str:
    """Return the user with this user name or email, or what was typed if there is none.

    Spellings that are equivalent for an existing account are equivalent for an unknown one, too. Otherwise a second
    spelling, tried at a bucket that is blocked, would reveal which of the two it is.
    """
    return User.objects.first_by_login(login) or login


def _refuse(request: HttpRequest, limit: str, throttled: Throttled) -> NoReturn:
    attempt_throttled.send_robust(Limit, request=request, limit=limit)
    logger.info("An attempt was throttled.", extra={"kind": "throttled", "limit": limit})
    request.throttled = throttled  # type: ignore[attr-defined]  # The middleware needs it if a form catches it.
    raise throttled


def _acquire(request: HttpRequest, limit: Limit, account: User | str, guess: str) -> int:
    """Acquire the buckets of an attempt and return 0; or return how many seconds to wait.

    Guesses are remembered per visitor and account, never per account alone: a stranger could learn from what is not
    counted what the owner has mistyped. A blocked bucket lets no repeat through, for the same reason.
    """
    at_account, of_visitor = _buckets(request, limit, account)
    repeats = _bucket(limit, "repeats", limit.repeats, _visitor_network(request))
    if not guess or not repeats or not at_account:
        return rate_limit.acquire([*at_account, *of_visitor])
    own = at_account[0]
    digest = salted_hmac(_SALT, f"{own.key}\n{guess}", algorithm="sha256").hexdigest()
    if rate_limit.was_tried(own, digest):
        return rate_limit.acquire(repeats, uncounted=[*at_account, *of_visitor])
    if seconds := rate_limit.acquire([*at_account, *of_visitor]):
        return seconds
    rate_limit.remember_tried(own, digest)
    return 0


def _acquire_site(request: HttpRequest, limit: Limit, account: User | str) -> int:
    """Acquire the bucket of the whole site like `_acquire`, unless the account knows the browser; alert once an hour.

    It is what remains against strangers who change account, address and mailbox with each attempt.
    """
    if _known_browser(request, limit, account):
        return 0
    seconds = rate_limit.acquire(_bucket(limit, "site", limit.site, "all"))
    if seconds and not rate_limit.acquire(_bucket(limit, "alert", Rate(1, HOUR, HOUR, HOUR), "all")):
        logger.error("The limit of the whole site is reached.", extra={"kind": "site_throttled", "limit": limit.name})
    return seconds


def _buckets(request: HttpRequest, limit: Limit, account: User | str) -> tuple[list[Bucket], list[Bucket]]:
    """Return the buckets of the account, and those of the visitor.

    A browser in which the account's owner has signed in before has a single bucket of its own instead.
    """
    name = _mailbox_text(account) if limit.by_mailbox else _account_text(account)
    visitor, wider = _visitor_network(request), _visitor_network(request, prefix=48)
    if limit.visitor_and_account and (browser := _known_browser(request, limit, account)):
        return _bucket(limit, "browser", limit.visitor_and_account, browser.id, name), []
    return [
        *_bucket(limit, "visitor and account", limit.visitor_and_account, visitor, name),
        *_bucket(limit, "account", limit.account, name),
    ], [
        *_bucket(limit, "visitor", limit.visitor, visitor),
        *_bucket(limit, "wider network", _widened(limit.visitor), wider if wider != visitor else ""),
    ]


def _known_browser(request: HttpRequest, limit: Limit, account: User | str) -> known_browsers.Browser | None:
    """Return the browser of `request` if the owner of `account` has signed in with it before, as `limit` wants it."""
    browser = known_browsers.from_request(request)
    known = browser and isinstance(account, User) and browser.knows(account, by_factor=limit.by_factor)
    return browser if known else None


def _bucket(limit: Limit, kind: str, rate: Rate | None, *who: str) -> list[Bucket]:
    """Return the one bucket of this kind, or none without a rate or where it is not known whose attempts it counts."""
    if rate is None or not all(who):
        return []
    digest = salted_hmac(_SALT, "\n".join((limit.name, kind, *who)), algorithm="sha256").hexdigest()
    return [Bucket(f"throttle:{digest}", rate)]


def _account_text(account: User | str) -> str:
    """Return the same text for all spellings of an account; a user and an unknown login never share one."""
    if isinstance(account, User):
        return f"person {account.pk}"
    folded = normalize_login(account).lower()  # as `by_login` folds
    return f"text {folded}" if folded else ""


def _mailbox_text(account: User | str) -> str:
    """Return the same text for all emails of one mailbox, whether or not they have accounts.

    Many servers deliver `name+tag` to `name`, and a server that does not loses little by it. Dots stay: they are
    ignored by few servers, and elsewhere `a.b` and `ab` are two people, who would share the pauses.
    """
    folded = normalize_login(account.email if isinstance(account, User) else account).lower()
    name, at, domain = folded.rpartition("@")
    return f"mailbox {name.partition('+')[0] or name}{at}{domain}" if folded else _account_text(account)


def _widened(rate: Rate | None) -> Rate | None:
    """Return the rate for all visitors of a /48 network, which may be one customer or many."""
    return rate and replace(rate, free=8 * rate.free)


def _visitor_network(request: HttpRequest, prefix: int = 64) -> str:
    """Return the visitor's IP address; of IPv6 its /64 network, within which one line can use any address.

    Return "" if the server does not know the address. To count all of those visitors as one would let anybody block the
    buckets of everybody.
    """
    client_ip = client.ip_address(request)
    if client_ip is None:
        return ""
    parsed = ip_address(client_ip)
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, prefix), strict=False))
