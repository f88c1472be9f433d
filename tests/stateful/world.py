"""The real site, what is known of its sign-ins without asking it, and what must hold of every answer and every row."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from tests.stateful.browsers import MARGIN, ROUND_TRIP, Browser, Jar, Message, Token, token
from tests.stateful.people import Person
from tests.tokens import clock
from tokens.conf import conf
from tokens.cookies import name_of
from tokens.models import RefreshToken
from tokens.probe import LIFETIME as PROBE_LIFETIME
from tokens.revocation import get_revocation_list
from tokens.testing import Client

LOG_IN, LOG_OUT, CHANGE_PASSWORD = "/log-in/", "/log-out/", "/change-password/"
OPEN, GUARDED, CLOSED = PAGES = "/who/", "/guarded/", "/closed/"
NOBODY = "nobody"


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.people = [Person.new(), Person.new()]
        self.browsers = [Browser(), Browser(), Browser()]
        self.messages: list[Message] = []
        self.backup: tuple[float, list[dict[str, Any]]] = (0.0, [])
        self.was_restored = False
        self.over: set[str] = set()  # sign-ins that have ended, for ever
        self.unheard: set[str] = set()  # those of them that ended in another process
        self.copied: set[str] = set()  # sign-ins of which somebody has a copy
        self.found: Counter[str] = Counter()  # sign-ins of which a copy was found
        self.password_of: dict[str, str] = {}  # with which a sign-in was opened
        self.reached: Counter[str] = Counter()  # the generation of a sign-in
        self.issued: dict[str, set[Token]] = defaultdict(set)
        self.dead: dict[Token, float] = {}  # refresh tokens that something newer has replaced, since when
        self._client = Client()

    @property
    def honest(self) -> list[Browser]:
        return [browser for browser in self.browsers if not browser.thief]

    def owner(self, row: RefreshToken | None) -> Person | None:
        return next((person for person in self.people if row and person.pk == row.user_id), None)

    def row(self, jar: Jar) -> RefreshToken | None:
        """The row of the sign-in that `jar` holds."""
        return RefreshToken.objects.filter(pk=jar.sid).first() if jar.sid else None

    # What happens.

    def wait(self, seconds: float) -> None:
        """Everything there is becomes older: rows, jars, messages. By then each process has heard what has ended."""
        if not seconds:
            return
        jars: list[Any] = [message.jar for message in self.messages]
        jars += [message.response for message in self.messages if message.response]
        jars += [jar for browser in self.browsers for jar in (browser.jar, *(jar for _, jar in browser.past))]
        clock.elapse(seconds, *jars)
        gone = timedelta(seconds=seconds)
        RefreshToken.objects.update(changed_at=F("changed_at") - gone, revoked_at=F("revoked_at") - gone)
        if seconds >= PROBE_LIFETIME:
            for jar in jars:
                for name in (name_of("probe"), name_of("probe-told")):
                    jar.cookies.pop(name, None)
        self.now += seconds
        self.hear()

    def hear(self) -> None:
        """As a new process does, which knows nothing but what the database says."""
        get_revocation_list().forget()
        get_revocation_list().entry("", RefreshToken.objects.changed_within)
        self.unheard.clear()

    def visit(self, browser: Browser, page: str) -> str:
        """A whole round trip; whom the page takes its visitor for."""
        message = self.send(browser, page)
        self.answer(message)
        return self.arrive(message)

    def send(self, browser: Browser, page: str) -> Message:
        return Message(browser, page, browser.jar.copy(), self.now)

    def answer(self, message: Message) -> None:
        """The site answers: whoever should be known is known, or is asked to come back."""
        names = self._due(message.browser, message.jar)
        message.response = self.ask(message.jar, message.page)
        self._check_known(message.jar, {"", *names} if names else set(), message.response)

    def arrive(self, message: Message) -> str:
        """The response reaches its browser, which goes where it is sent; whom the page takes its visitor for."""
        browser, response = message.browser, message.response
        browser.take(response.cookies, self.now)
        for _ in range(3):
            if browser.declines or response.status_code != 307:
                return shown(response)
            names = self._due(browser, browser.jar)
            response = self.ask(browser.jar, message.page)
            browser.take(response.cookies, self.now)
            self._check_known(browser.jar, names, response)
        raise AssertionError("a redirect without end")

    def go_on(self, message: Message) -> None:
        if message.response is None and not self.is_overdue(message):
            self.answer(message)
            return
        self.messages.remove(message)
        if not message.is_lost and not self.is_overdue(message):
            self.arrive(message)

    def is_overdue(self, message: Message) -> bool:
        """Whether nothing is promised about it any more: it took longer than a round trip may, and its token would
        confirm something, or its response would set something."""
        if self.now - message.sent_at <= ROUND_TRIP:
            return False
        if message.response:
            return bool(clock.jar(message.response))
        row, shows = self.row(message.jar), message.jar.token
        return bool(row and shows and shows[1] > row.generation)

    def lose_messages(self, browser: Browser, *, answered: bool = False) -> None:
        """The browser waits for none of its requests any more; or only for those that were not `answered` yet."""
        for message in self.messages:
            if message.browser is browser and (message.response or not answered):
                message.is_lost = True

    def opened(self, browser: Browser, response: Any, person: Person) -> None:
        """`person` has a new sign-in in `browser`; what is still on its way would only overwrite it."""
        for sid in Jar(response.cookies).sids:
            self.password_of[sid] = person.password
        browser.take(response.cookies, self.now)
        self.lose_messages(browser, answered=True)

    def back_up(self) -> None:
        self.backup = self.now, list(RefreshToken._base_manager.values())

    def restore(self) -> None:
        """The rows of the back-up are what they were then, however much they have changed since."""
        since, rows = self.backup
        for old in rows:
            values = earlier(old, self.now - since)
            if RefreshToken.objects.filter(pk=old["id"], user_id=values.pop("user_id")).update(**values):
                self._restored(str(old["id"]), token(old["id"], old["generation"], old["jti"]), old["revoked_at"])
        self.messages = [message for message in self.messages if self.now - message.sent_at <= ROUND_TRIP]
        self.was_restored = True

    def _restored(self, sid: str, confirmed: Token, revoked_at: datetime | None) -> None:
        self.reached[sid] = confirmed[1]
        self.found.pop(sid, None)
        if revoked_at is None:
            self.over.discard(sid)
        for issued in self.issued[sid]:
            if issued == confirmed or issued[1] > confirmed[1]:
                self.dead.pop(issued, None)

    def reuse_found(self, row: RefreshToken, **_: Any) -> None:
        """For the signal."""
        self.found[str(row.pk)] += 1
        self.over |= {str(sid) for sid in RefreshToken.objects.filter(user=row.user).values_list("pk", flat=True)}

    # What must hold of every answer.

    def ask(self, jar: Jar, page: str, form: dict[str, str] | None = None) -> Any:
        """The answer of the site to a browser with `jar`."""
        self._client.cookies = jar.copy().cookies
        response = self._client.get(page) if form is None else self._client.post(page, form)
        assert response.status_code < 500
        self._check_cookies(jar, page, response)
        if page in PAGES and shown(response) not in ("", NOBODY):
            self._check_visitor(jar, page, shown(response))
        return response

    def _check_cookies(self, jar: Jar, page: str, response: Any) -> None:
        assert not response.cookies or response.headers["Cache-Control"] == "private, no-store"
        deleted = {name for name, morsel in response.cookies.items() if morsel["max-age"] == 0}
        assert deleted <= {name_of("probe"), name_of("probe-told")} or page == LOG_OUT, "only a log-out deletes cookies"
        if page == LOG_OUT:
            return
        handed = Jar(response.cookies)
        assert not handed.sids & self.over, "tokens of a sign-in that is over"
        if page in PAGES and handed.access and jar.token in self.dead:
            assert jar.access and handed.access.exp <= jar.access.exp, "a dead token gains nothing"
        if handed.refresh and handed.token:
            confirmed = confirmed_by(self.row(handed))
            parent = handed.token if page in (LOG_IN, CHANGE_PASSWORD) else jar.token
            assert parent == confirmed, "only the confirmed token has children"
            assert handed.token[1] - confirmed[1] == (handed.token != confirmed)
            self.issued[confirmed[0]].add(handed.token)

    def _check_visitor(self, jar: Jar, page: str, name: str) -> None:
        if page != GUARDED and conf.revocation_lag and jar.sid in self.unheard:
            return  # for a moment more
        row = self.row(jar)
        person = self.owner(row)
        assert jar.sid not in self.over, "revoked is for ever"
        assert row and person and name in self._names(person), "whom a page shows is somebody else now"
        assert row.expires_at > timezone.now() - timedelta(seconds=MARGIN)
        assert page != GUARDED or self._fits(row), "a guarded page looks at the person"
        died_at = self.dead.get(jar.token) if jar.token else None
        assert died_at is None or self.now - died_at <= conf.access_lifetime, "a dead token opens no page"

    def _check_known(self, jar: Jar, names: set[str], response: Any) -> None:
        # A thief may have confirmed another token: then the session has ended, or the browser is asked once more.
        robbed = jar.sid in self.copied and (jar.sid in self.over or response.status_code == 307)
        assert not names or shown(response) in names or robbed, "an honest browser was signed out"

    # What must hold of every row.

    def check_rows(self) -> None:
        for row in RefreshToken.objects.all():
            sid = str(row.pk)
            assert row.generation >= self.reached[sid], "a generation falls"
            self.reached[sid] = row.generation
            if row.revoked_at:
                assert sid in self.over or not self._fits(row), "a session was ended that nobody ended"
                self.over.add(sid)
            assert row.revoked_at or sid not in self.over or row.expires_at < timezone.now(), "revoked is for ever"
            assert confirmed_by(row) not in self.dead, "a dead token is confirmed"
            for issued in self.issued[sid]:
                if issued[1] <= row.generation and issued != confirmed_by(row):
                    self.dead.setdefault(issued, self.now)
        assert self.found.keys() <= self.copied, "a theft that never was"
        assert all(times == 1 for times in self.found.values()), "a theft is told twice"

    def _due(self, browser: Browser, jar: Jar) -> set[str]:
        """The names by which the site has to know whoever comes with `jar`; none if it need not."""
        if browser.thief or not jar.is_good or jar.sid in self.over:
            return set()
        row = self.row(jar)
        person = self.owner(row)
        return self._names(person) if row and person and self._fits(row) else set()

    def _fits(self, row: RefreshToken) -> bool:
        """Whether the person is still who they were when they signed in."""
        password = self.password_of.get(str(row.pk))
        return any(p.pk == row.user_id and p.is_active and p.password == password for p in self.people)

    def _names(self, person: Person) -> set[str]:
        return person.names if self.was_restored else {person.name}  # a restored row has lost count of its changes


def shown(response: Any) -> str:
    """Whom a page took its visitor for; nothing if the browser is to come back."""
    if response.status_code == 307:
        return ""
    return response.content.decode().split()[0] if response.status_code == 200 else NOBODY


def confirmed_by(row: Any) -> Token:
    return token(row.pk, row.generation, row.jti)


def earlier(row: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The values of a row as `clock.elapse` would have left them."""
    gone = timedelta(seconds=seconds)
    values = {name: value - gone if isinstance(value, datetime) else value for name, value in row.items()}
    return values | {"jti": clock._earlier(str(row["jti"]), seconds)}
