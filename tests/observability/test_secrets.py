"""No secret that was used is in the log, whatever was done and however much is written down."""

import json
import re
from functools import partial
from typing import ClassVar

import pytest
from django.conf import settings as site
from django.contrib.auth.decorators import login_not_required
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import include, path

from accounts.models import User
from project.redaction import MAX_LENGTH, PLACEHOLDER, redacted
from tests.accounts.mail_contents import code_in, link_in
from tests.accounts.reauthenticating import answer, expire_reauthentication
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse, jar
from tokens.testing import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

NEW, WRONG = "an entirely new one", "not the password at all"
EXPIRED = 16 * 60


@login_not_required
def broken(request):
    """A mistake that tells all it knows."""
    raise RuntimeError(f"{request.POST} {request.COOKIES} {request.META.get('HTTP_COOKIE')} {dict(request.headers)}")


urlpatterns = [path("broken/", broken), path("", include("project.urls"))]


class Browser(Client):
    """Keeps in `seen` whatever it was given or gave away."""

    seen: ClassVar[set[str]] = set()

    def request(self, **environ):
        response = super().request(**environ)
        self.seen |= {cookie.value for name, cookie in self.cookies.items() if "language" not in name}
        self.seen |= set(
            re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', response.content.decode(errors="ignore"))
        )
        return response


@pytest.fixture
def seen():
    Browser.seen.clear()
    Browser.seen |= {PASSWORD, NEW, WRONG, site.SECRET_KEY}
    return Browser.seen


@pytest.fixture
def browser_of(seen):
    return partial(Browser, raise_request_exception=False)


@pytest.fixture(autouse=True)
def _sql_is_logged():
    with CaptureQueriesContext(connection):
        yield


@pytest.fixture
def silent(written, seen):
    """`silent()`: something was written, and none of the secrets."""

    def silent():
        seen.update(User.objects.values_list("password", flat=True))
        secrets = {secret for secret in seen if len(secret) >= 6}
        assert len(secrets) > 5 and written.lines
        for form in (written.text, written.json):
            assert {secret for secret in secrets if secret in form or json.dumps(secret)[1:-1] in form} == set()

    return silent


def test_signing_in_and_failing_refreshing_and_being_copied(browser_of, bob, sign_in, silent, written):
    browser = browser_of()
    browser.get("/accounts/login/")
    browser.post("/accounts/login/", {"username": "bob", "password": WRONG})
    sign_in(browser, bob)
    old = copy_of(browser)
    for _ in range(2):
        elapse(EXPIRED, browser, old)
        browser.seen |= set(jar(browser).values()) | set(jar(old).values())
        browser.get("/")
    old.get("/", follow=True)
    browser.get("/")
    browser.cookies["__Host-access"] = browser.cookies["__Host-access"].value[:-4]
    browser.get("/accounts/sessions/")
    browser.post("/accounts/logout/")
    silent()
    assert written.of("token_reused") and written.of("signed_in") and "SELECT" in written.text


def test_a_new_password_by_mail(browser_of, bob, seen, silent):
    browser = browser_of()
    browser.post("/accounts/password/reset/", {"email": "bob@example.org"})
    link = link_in(mail.outbox[-1])
    seen.add(link.split("/")[-2])
    browser.get(link.replace("reset/", "rest/"))
    browser.get(f"{link}?again={link}")
    page = browser.get(link, follow=True).redirect_chain[-1][0]
    browser.post(page, {"new_password1": NEW, "new_password2": WRONG})
    browser.post(page, {"new_password1": NEW, "new_password2": NEW})
    assert User.objects.get().check_password(NEW)
    silent()


def test_codes_links_and_proofs(browser_of, bob, sign_in, seen, silent, written):
    browser = browser_of()
    sign_in(browser, bob)
    expire_reauthentication()
    question = browser.post("/accounts/email/", {"email": "bob@new.example"})
    answer(browser, answer(browser, question, WRONG))
    code, link = code_in(mail.outbox[-1]), link_in(mail.outbox[-1], "confirm")
    seen.update({code, link.split("/")[-2]})
    browser.get(link.replace("email/", "mail/"))
    browser.get(link)
    browser.post("/accounts/email/verify/", {"code": code})
    undo = link_in(mail.outbox[-1], "undo")
    seen.add(undo.split("/")[-2])
    browser.post(undo)
    silent()
    assert written.of("email_changed") and written.of("reauthentication_failed")


def test_programs(browser_of, bob, seen, silent):
    program = browser_of()

    def call(url, token="", **body):
        answer = program.post(
            f"/api/{url}",
            json.dumps(body),
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )
        seen.update(value for name, value in (answer.json() if answer.content else {}).items() if name in TOKENS)
        return answer

    call("auth/login", username="bob", password=WRONG)
    pair = call("auth/login", username="bob", password=PASSWORD).json()
    call("auth/refresh", pair["access"])
    call("auth/refresh", pair["refresh"])
    program.get("/api/me", headers={"authorization": f"Bearer {pair['access']}x"})
    program.get(f"/api/me?token={pair['access']}")
    program.get(f"/api/{pair['refresh']}")
    call("auth/logout", pair["access"])
    assert len(seen) == 8
    silent()


TOKENS = {"access", "refresh"}


def test_the_admin(browser_of, alice, bob, sign_in, silent, written):
    browser = browser_of()
    sign_in(browser, alice)
    for url in ("/admin/", "/admin/accounts/user/", f"/admin/accounts/user/{bob.pk}/change/", "/admin/nowhere/"):
        browser.get(url)
    browser.post(f"/admin/accounts/user/{bob.pk}/password/", {"password1": NEW, "password2": NEW})
    expire_reauthentication()
    browser.post(f"/admin/accounts/user/{bob.pk}/change/", {"username": "robert"})
    silent()


def test_a_mistake_that_tells_all_it_knows(browser_of, bob, sign_in, silent, written, settings):
    settings.METRICS_TOKEN = "let-me-read-0123456789"
    browser = browser_of()
    browser.seen.add(settings.METRICS_TOKEN)
    sign_in(browser, bob)
    fields = {"password": WRONG, "old_password": PASSWORD, "token": NEW, "code": "314159"}
    browser.seen.add("314159")
    broke = browser.post("/broken/", fields, headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"})
    assert broke.status_code == 500
    browser.get("/", headers={"host": "evil.example"})
    browser.get("/metrics", headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"})
    silent()
    [failed] = written.of("request_failed")
    assert "RuntimeError" in failed["exception"] and PLACEHOLDER in failed["exception"]


class TestRedacted:
    @pytest.mark.parametrize(
        "text",
        [
            "Bearer eyJhbGciOiJFZERTQSJ9.{}.c2ln",
            "it begins so: eyJhbGciOiJFZERTQSJ9.{}",
            "argon2$argon2id$v=19$m=65536,t=3,p=4$c2FsdA${}",
            "pbkdf2_sha256$1000000$salt${} is no hash of ours",
            "Not Found: /accounts/password/reset/NQ/c1x2y3-0123456789abcdef01234567{}/",
            "/accounts/email/confirm/018f3a6e-7b2c-7def-8123-456789abcdef/0123456789abcdef01234567{}",
        ],
    )
    def test_takes_out_what_this_site_makes(self, text):
        assert "hush-hush" not in redacted(text.format("hush-hush"))
        assert PLACEHOLDER in redacted(text.format("hush-hush"))

    def test_takes_out_what_is_known_to_be_one(self):
        assert redacted("user:hush-hush@localhost", {"hush-hush", "hush"}) == f"user:{PLACEHOLDER}@localhost"

    def test_cuts_what_is_long_before_a_pattern_sees_it(self):
        assert redacted(f"{' ' * MAX_LENGTH}{PASSWORD}") == f"{' ' * MAX_LENGTH}…"
        assert PASSWORD not in redacted(f"{' ' * (MAX_LENGTH - 3)}{PASSWORD}", {PASSWORD})

    @pytest.mark.parametrize(
        "text",
        [
            "Not Found: /accounts/sessions/018f3a6e-7b2c-7def-8123-456789abcdef/end/",
            "File '/srv/sojourn/accounts/views/sessions.py', line 12, in show_where_people_are_signed_in_by_now",
            "The token is not three parts of the base64url alphabet.",
            "The password was changed.",
            "https://example.org:8000/accounts/login/?next=/x@y",
            "GET /static/css/sojourn.0123456789ab.css 200",
        ],
    )
    def test_leaves_what_is_none(self, text):
        assert redacted(text) == text
