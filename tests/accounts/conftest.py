import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser, Permission
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core import mail
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.mails import messages
from accounts.models import SecurityEvent, User
from accounts.security import hashers, rate_limit
from tests.conftest import PASSWORD
from tests.hashers import QuickArgon2Hasher
from tests.tokens.conftest import _reads_name_their_database
from tokens.testing import Client

__all__ = ["_reads_name_their_database"]  # a fixture
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)


def kinds() -> list[str]:
    """What is written down, the oldest first."""
    return list(SecurityEvent.objects.order_by("pk").values_list("kind", flat=True))


def sent() -> list[tuple[str, list[str]]]:
    """Return the kind and the readers of each mail that has gone out, the oldest first."""
    return [(message.kind, message.to) for message in mail.outbox]


def statements(queries: Any) -> list[Any]:
    """What was asked of which of our tables, in order, without the values and without how a savepoint ended."""
    asked = [re.match(r'(\w+)(?:.*?"((?:accounts|tokens)_\w+)")?', each["sql"]).groups() for each in queries]
    return [each for each in asked if each[0] not in ("RELEASE", "ROLLBACK")]


@pytest.fixture
def using() -> Callable[[str], Client]:
    """`using(user_agent)`: another browser, with cookies of its own."""
    return lambda user_agent: Client(headers={"user-agent": user_agent})


@pytest.fixture
def admin(client: Client, alice: Any, sign_in: Callable[..., Any]) -> Client:
    """Alice's browser."""
    sign_in(client, alice)
    return client


@pytest.fixture
def here(using: Callable[[str], Client], bob: Any, sign_in: Callable[..., Any]) -> Client:
    """Bob's browser."""
    client = using(FIREFOX)
    sign_in(client, bob)
    return client


@pytest.fixture
def there(using: Callable[[str], Client], bob: Any, sign_in: Callable[..., Any]) -> Client:
    """Another browser of Bob's."""
    client = using(CHROME)
    sign_in(client, bob)
    return client


@pytest.fixture
def carol(db: None) -> User:
    """On the staff, without any permission."""
    return User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)


@pytest.fixture
def staff(using: Callable[[str], Client], carol: User, sign_in: Callable[..., Any]) -> Callable[..., Client]:
    """`staff(*codenames)`: a browser in which Carol is signed in, who has these permissions."""

    def staff(*codenames: str) -> Client:
        carol.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = using(CHROME)
        sign_in(client, carol)
        return client

    return staff


@pytest.fixture(autouse=True)
def _fresh_buckets() -> None:
    rate_limit.reset_all()


@pytest.fixture
def clock() -> Iterator[Any]:
    """It stands still, at a whole second, until the test shifts it: `clock.shift(10)`."""
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False) as clock:
        yield clock


@pytest.fixture
def redis(settings: Any) -> Iterator[Any]:
    """A server of its own, in which the site has its cache."""
    from tests import valkey

    with valkey.running() as server:
        settings.CACHES = {"default": valkey.backend(server)}
        yield server
        cache.close()


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with each password that is hashed."""
    done: list[str] = []

    def counted(method: str) -> Callable[..., Any]:
        plain = getattr(hashers.Argon2Hasher, method)
        return lambda *args: done.append(method) or plain(*args)

    for method in ("encode", "verify"):
        monkeypatch.setattr(QuickArgon2Hasher, method, counted(method), raising=False)
    return done


@pytest.fixture(autouse=True)
def _mails_tell_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each message in `mail.outbox` its `kind` and `facts`: tests name what was sent, and not how it is worded."""
    compose = messages.compose

    def composed(mail: Any) -> Any:
        if message := compose(mail):
            message.kind, message.context = mail.kind, mail.context
        return message

    monkeypatch.setattr(messages, "compose", composed)


@pytest.fixture
def browser_of(rf: Any) -> Callable[..., Any]:
    """`browser_of(user)`: a request of a browser in which they are signed in, or nobody is; it keeps its session."""

    def browser_of(user: Any = None) -> Any:
        request = rf.get("/")
        request.session, request.user = SessionStore(), user or AnonymousUser()
        return request

    return browser_of


@pytest.fixture
def sign_up(db: None, committing: Any) -> Callable[..., Any]:
    """`sign_up(**changes)`: a browser that has just signed up, and the mail that followed."""

    def sign_up(**changes: str) -> Any:
        browser = Client()
        fields = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
        with committing():
            browser.post(reverse("signup"), fields | changes)
        return browser, mail.outbox[-1]

    return sign_up
