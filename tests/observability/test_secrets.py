"""No secret that was used is in the log, whatever was done and however much is written down."""

import json
import re

import pytest
from django.conf import settings as site
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from project import redaction
from project.redaction import MAX_LENGTH, PLACEHOLDER, redacted
from tests.accounts.mail_contents import code_in, link_in
from tests.accounts.reauthenticating import answer, expire_reauthentication
from tests.conftest import PASSWORD
from tests.providers.conftest import CALLBACK, _server, issuer, leave  # noqa: F401  (fixtures)
from tests.tokens.clock import EXPIRED, copy_of, elapse, jar
from tokens.testing import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.observability.urls")]

NEW, WRONG = "an entirely new one", "not the password at all"


class Browser(Client):
    """Adds to `seen` whatever it was given or gave away."""

    def __init__(self):
        super().__init__(raise_request_exception=False)
        self.seen = set()

    def request(self, **environ):
        response = super().request(**environ)
        self.seen |= {cookie.value for name, cookie in self.cookies.items() if "language" not in name}
        page = response.content.decode(errors="ignore")
        self.seen |= set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
        return response


@pytest.fixture
def client():
    return Browser()


@pytest.fixture
def seen(client):
    client.seen |= {PASSWORD, NEW, WRONG, site.SECRET_KEY}
    return client.seen


@pytest.fixture(autouse=True)
def _sql_is_logged():
    with CaptureQueriesContext(connection):
        yield


@pytest.fixture
def silent(written, seen):
    """`silent()`: something was written, and none of the secrets."""

    def silent():
        seen.update(User.objects.exclude(password__startswith="!").values_list("password", flat=True))
        secrets = {secret for secret in seen if len(secret) >= 6}
        assert len(secrets) > 5 and written.lines
        for form in (written.text, written.json):
            assert {secret for secret in secrets if secret in form or json.dumps(secret)[1:-1] in form} == set()

    return silent


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
def test_signing_in_with_a_provider_and_failing(client, issuer, leave, settings, silent, written, response_mode):  # noqa: F811
    settings.PROVIDERS[0]["response_mode"] = response_mode
    for end in (lambda: None, issuer.codes.clear):
        answer = issuer.authorize(leave(client))
        client.seen.add(answer["code"])
        end()
        if response_mode == "form_post":
            Client().post(CALLBACK, answer)
        client.get(CALLBACK, answer if response_mode == "query" else {})
    silent()
    assert [line["provider"] for line in (*written.of("signed_in"), *written.of("provider_failed"))] == 2 * ["acme"]


def test_signing_in_and_failing_refreshing_and_being_copied(client, bob, sign_in, silent, written):
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"username": "bob", "password": WRONG})
    sign_in(client, bob)
    old = copy_of(client)
    old.seen = client.seen
    for _ in range(2):
        elapse(EXPIRED, client, old)
        client.seen |= set(jar(client).values()) | set(jar(old).values())
        client.get("/")
    old.get("/", follow=True)
    client.get("/")
    client.cookies["__Host-access"] = client.cookies["__Host-access"].value[:-4]
    client.get("/accounts/sessions/")
    client.post("/accounts/logout/")
    silent()
    assert written.of("token_reused") and written.of("signed_in") and "SELECT" in written.text


def test_a_new_password_by_mail(client, bob, seen, silent):
    client.post("/accounts/password/reset/", {"email": "bob@example.org"})
    link = link_in(mail.outbox[-1])
    seen.add(link.split("/")[-2])
    client.get(link.replace("reset/", "rest/"))
    client.get(f"{link}?again={link}")
    page = client.get(link, follow=True).redirect_chain[-1][0]
    client.post(page, {"new_password1": NEW, "new_password2": WRONG})
    client.post(page, {"new_password1": NEW, "new_password2": NEW})
    assert User.objects.get().check_password(NEW)
    silent()


def test_codes_links_and_proofs(client, bob, sign_in, seen, silent, written):
    sign_in(client, bob)
    expire_reauthentication()
    question = client.post("/accounts/email/", {"email": "bob@new.example"})
    answer(client, answer(client, question, WRONG))
    code, link = code_in(mail.outbox[-1]), link_in(mail.outbox[-1], "confirm")
    seen.update({code, link.split("/")[-2]})
    client.get(link.replace("email/", "mail/"))
    client.get(link)
    client.post("/accounts/email/verify/", {"code": code})
    undo = link_in(mail.outbox[-1], "undo")
    seen.add(undo.split("/")[-2])
    client.post(undo)
    silent()
    assert written.of("email_changed") and written.of("reauthentication_failed")


def test_programs(client, bob, seen, silent):
    def call(url, token="", **body):
        headers = {"authorization": f"Bearer {token}"}
        answer = client.post(f"/api/{url}", body, content_type="application/json", headers=headers)
        given = answer.json() if answer.content else {}
        seen.update(given[name] for name in ("access_token", "refresh_token") if name in given)
        return given

    call("auth/login", username="bob", password=WRONG)
    pair = call("auth/login", username="bob", password=PASSWORD)
    call("auth/refresh", pair["access_token"])
    call("auth/refresh", pair["refresh_token"])
    client.get("/api/me", headers={"authorization": f"Bearer {pair['access_token']}x"})
    client.get(f"/api/me?token={pair['access_token']}")
    client.get(f"/api/{pair['refresh_token']}")
    call("auth/logout", pair["access_token"])
    assert len(seen) == 8
    silent()


def test_the_admin(client, alice, bob, sign_in, silent, written):
    sign_in(client, alice)
    for url in ("/admin/", "/admin/accounts/user/", f"/admin/accounts/user/{bob.pk}/change/", "/admin/nowhere/"):
        client.get(url)
    client.post(f"/admin/accounts/user/{bob.pk}/password/", {"password1": NEW, "password2": NEW})
    expire_reauthentication()
    client.post(f"/admin/accounts/user/{bob.pk}/change/", {"username": "robert"})
    silent()


def test_a_mistake_that_tells_all_it_knows(client, bob, sign_in, seen, silent, written, settings):
    settings.METRICS_TOKEN = "let-me-read-0123456789"
    seen.add(settings.METRICS_TOKEN)
    sign_in(client, bob)
    fields = {"password": WRONG, "old_password": PASSWORD, "token": NEW, "code": "314159"}
    seen.add("314159")
    broke = client.post("/broken/", fields, headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"})
    assert broke.status_code == 500
    client.get("/", headers={"host": "evil.example"})
    client.get("/metrics", headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"})
    silent()
    [failed] = written.of("request_failed")
    assert "RuntimeError" in failed["exception"] and PLACEHOLDER in failed["exception"]


class TestRedacted:
    @pytest.mark.parametrize(
        "text",
        [
            "it begins so: eyJhbGciOiJFZERTQSJ9.{}",
            "argon2$argon2id$v=19$m=65536,t=3,p=4$c2FsdA${}",
            "pbkdf2_sha256$1000000$salt${} is no hash of ours",
            "Not Found: /accounts/password/reset/NQ/c1x2y3-0123456789abcdef01234567{}/",
        ],
    )
    def test_takes_out_what_this_site_makes(self, text):
        assert "hush-hush" not in redacted(text.format("hush-hush"))
        assert PLACEHOLDER in redacted(text.format("hush-hush"))

    def test_takes_out_what_is_known_to_be_one(self):
        assert redacted("user:hush-hush@localhost", {"hush-hush", "hush"}) == f"user:{PLACEHOLDER}@localhost"

    def test_the_password_of_the_database_is_one_of_them(self, settings, monkeypatch):
        monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "hush-hush")
        redaction._of_settings.cache_clear()
        assert "hush-hush" in redaction.secrets_of(None)
        redaction._of_settings.cache_clear()

    def test_cuts_what_is_long_before_a_pattern_sees_it(self):
        assert redacted(f"{' ' * MAX_LENGTH}{PASSWORD}") == f"{' ' * MAX_LENGTH}…"
        assert PASSWORD not in redacted(f"{' ' * (MAX_LENGTH - 3)}{PASSWORD}", {PASSWORD})

    @pytest.mark.parametrize(
        "text",
        [
            "Not Found: /accounts/sessions/018f3a6e-7b2c-7def-8123-456789abcdef/end/",
            "File '/srv/sojourn/accounts/views/sessions.py', line 12, in show_where_people_are_signed_in_by_now",
            "The token is not three parts of the base64url alphabet.",
            "GET /static/css/sojourn.0123456789ab.css 200",
        ],
    )
    def test_leaves_what_is_none(self, text):
        assert redacted(text) == text
