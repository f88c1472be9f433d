"""Other sites against this one: forms posted from elsewhere, redirects to elsewhere, a Host that is none, frames."""

import re
from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client as PlainClient
from django.urls import get_resolver
from django.utils import timezone

from accounts.models import Identity, Passkey, TrustedBrowser
from tests.conftest import PASSWORD
from tests.pages import ADMINS, MISSING, OWN, VISITORS
from tests.project.test_demo import wait_for
from tests.tokens.clock import jar
from tokens.models import RefreshToken
from tokens.testing import Client

LOGIN, LOGOUT, SESSIONS = "/accounts/login/", "/accounts/logout/", "/accounts/sessions/"
NEW = dict.fromkeys(("new_password1", "new_password2"), "an entirely new one")


class Browser(PlainClient):
    """A client in which the CSRF check is on, over https, as in production."""

    def __init__(self) -> None:
        super().__init__(enforce_csrf_checks=True, headers={"referer": "https://testserver/"})

    def generic(self, *arguments, **options):
        return super().generic(*arguments, **options | {"secure": True})

    def token(self, url=LOGIN):
        return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(url).content.decode())[1]


@pytest.fixture
def here(alice):
    """Alice, who may do everything, signed in."""
    browser = Browser()
    fields = {"csrfmiddlewaretoken": browser.token(), "username": "alice", "password": PASSWORD}
    assert browser.post(LOGIN, fields).status_code == 302
    return browser


@pytest.fixture
def forms(alice, here, settings):
    """Every form that the site takes, with fields that would do something; by the name of its view."""
    [row] = RefreshToken.objects.filter(user=alice)
    trusted = TrustedBrowser.objects.create(user=alice, key="a", expires_at=timezone.now() + timedelta(days=1))
    passkey = Passkey.objects.create(user=alice, credential_id="YQ")
    identity = Identity.objects.create(user=alice, key="a", provider="acme")
    nobody = {"issuer": "http://127.0.0.1:9", "private_network": True}
    settings.PROVIDERS = [{"name": "acme", "client_id": "us", "client_secret": "x", **nobody}]
    admin = {"action": "end_sessions", "_selected_action": str(alice.pk), "confirmed": "yes"}
    return {
        "login": (LOGIN, {"username": "alice", "password": PASSWORD}),
        "logout": (LOGOUT, {}),
        "signup": ("/accounts/signup/", {"username": "eve", "email": "eve@example.org"}),
        "sessions_end_others": (f"{SESSIONS}end-others/", {}),
        "sessions_end_all": (f"{SESSIONS}end-all/", {}),
        "session_end": (f"{SESSIONS}{row.pk}/end/", {}),
        "session_name": (f"{SESSIONS}{row.pk}/name/", {"name": "evil"}),
        "second_factor": ("/accounts/second-factor/", {"code": "123456"}),
        "factors_lost": ("/accounts/second-factor/lost/", {}),
        "factors_remove": (f"/accounts/second-factor/remove/{row.pk}/here/", {}),
        "factors_keep_by_link": (f"/accounts/second-factor/keep/{row.pk}/here/", {}),
        "factors_keep": ("/accounts/security/keep/", {}),
        "confirm": ("/accounts/confirm/", {"proof-password": PASSWORD}),
        "passkey_login": ("/accounts/login/passkey/", {"response": "{}"}),
        "provider_login": ("/accounts/login/acme/", {}),
        "provider_confirm": ("/accounts/confirm/acme/", {}),
        "provider_add": ("/accounts/security/providers/acme/add/", {}),
        "provider_remove": (f"/accounts/security/providers/{identity.pk}/remove/", {}),
        "passkey_add": ("/accounts/security/passkeys/add/", {"response": "{}"}),
        "passkey_name": (f"/accounts/security/passkeys/{passkey.pk}/name/", {"name": "evil"}),
        "passkey_remove": (f"/accounts/security/passkeys/{passkey.pk}/remove/", {}),
        "authenticator": ("/accounts/security/authenticator/", {"code": "123456"}),
        "authenticator_remove": ("/accounts/security/authenticator/remove/", {}),
        "recovery_codes": ("/accounts/security/recovery-codes/", {}),
        "trust_remove": (f"/accounts/security/browsers/{trusted.pk}/remove/", {}),
        "password_change": ("/accounts/password/change/", {"old_password": PASSWORD, **NEW}),
        "password_reset": ("/accounts/password/reset/", {"email": "alice@example.org"}),
        "password_reset_confirm": ("/accounts/password/reset/MQ/set-password/", NEW),
        "profile": ("/accounts/profile/", {"first_name": "Eve"}),
        "username_change": ("/accounts/username/", {"username": "eve"}),
        "email_change": ("/accounts/email/", {"email": "eve@example.org"}),
        "email_verify": ("/accounts/email/verify/", {"again": ""}),
        "email_confirm": (f"/accounts/email/confirm/{row.pk}/here/", {}),
        "email_undo": (f"/accounts/email/undo/{row.pk}/here/", {}),
        "checkup": ("/accounts/checkup/", {}),
        "export": ("/accounts/export/", {}),
        "delete": ("/accounts/delete/", {}),
        "deletion_cancel": ("/accounts/keep/", {}),
        "language": ("/accounts/language/", {"language": "de"}),
        "admin:logout": ("/admin/logout/", {}),
        "admin:accounts_user_changelist": ("/admin/accounts/user/", admin),
        "admin:accounts_user_add": ("/admin/accounts/user/add/", {"username": "eve"}),
        "admin:accounts_user_change": (f"/admin/accounts/user/{alice.pk}/change/", {"username": "eve"}),
        "admin:accounts_user_delete": (f"/admin/accounts/user/{alice.pk}/delete/", {"post": "yes"}),
        "admin:tokens_refreshtoken_changelist": (
            "/admin/tokens/refreshtoken/",
            admin | {"_selected_action": str(row.pk)},
        ),
    }


NO_FORM = {
    *("home", "activity", "security", "sessions", "jwks", "healthz", "readyz", "metrics", "password_reset_done"),
    "change_password_url",
    "passkey_options",
    "passkey_endpoints",
    "provider_callback",  # what it brings is good in one browser, by a cookie
    "csp_report",  # which anybody may send, and which does nothing
}

# Whether Django's check is right is Django's to test; here it has to stand before every form.
FORGERIES = {
    "without a token": ({}, {}, False),
    "with a token of somebody else's": ({"csrfmiddlewaretoken": "b" * 64}, {}, False),
    "from a neighbour on the domain": ({}, {"origin": "https://shop.testserver"}, True),
    "with no Referer and no Origin": ({}, {"referer": ""}, True),
}


class TestForms:
    def test_every_view_of_the_site_is_a_form_here_or_takes_none(self, forms):
        own = {entry.name for entry in get_resolver().url_patterns[0].url_patterns}
        assert own - NO_FORM - {"password_reset_complete"} == {name for name in forms if ":" not in name}

    @pytest.mark.parametrize("forgery", FORGERIES)
    def test_a_forged_form_is_refused_and_changes_nothing(self, here, forms, alice, forgery):
        fields, headers, knows = FORGERIES[forgery]
        token = here.token(SESSIONS)
        for name, (url, own) in forms.items():
            sent = own | fields | ({"csrfmiddlewaretoken": token} if knows else {})
            response = here.post(url, sent, headers=headers)
            assert response.status_code == 403, name
            assert not response.cookies.keys() & {"__Host-access", "__Host-refresh"}, name
        assert here.get(SESSIONS).status_code == 200
        assert RefreshToken.objects.get().name == ""
        alice.refresh_from_db()
        assert alice.check_password(PASSWORD)

    def test_a_form_of_ones_own_is_taken(self, here, forms):
        """Or else nothing above could fail."""
        token = here.token(SESSIONS)
        jar = {name: morsel.value for name, morsel in here.cookies.items()}
        for name, (url, fields) in forms.items():
            with transaction.atomic():
                sent = fields | {"csrfmiddlewaretoken": token}
                response = here.post(url, sent, headers={"origin": "https://testserver"})
                assert response.status_code in (200, 302, 303), name
                transaction.set_rollback(True)
            here.cookies = SimpleCookie(jar)

    def test_logging_in_from_elsewhere_signs_nobody_in_to_the_attackers_account(self, bob):
        browser = Browser()
        fields = {"csrfmiddlewaretoken": browser.token(), "username": "bob", "password": PASSWORD}
        assert browser.post(LOGIN, fields, headers={"origin": "https://evil.example"}).status_code == 403
        assert jar(browser) == {}
        assert not RefreshToken.objects.exists()

    def test_a_token_of_before_the_log_in_is_worth_nothing_after_it(self, bob):
        browser = Browser()
        old = browser.token()
        browser.post(LOGIN, {"csrfmiddlewaretoken": old, "username": "bob", "password": PASSWORD})
        assert browser.post(LOGOUT, {"csrfmiddlewaretoken": old}).status_code == 403
        assert browser.post(LOGOUT, {"csrfmiddlewaretoken": browser.token(SESSIONS)}).status_code == 302

    def test_nothing_is_ended_but_by_a_post(self, here, forms):
        here.handler.enforce_csrf_checks = False
        for name in ("logout", "sessions_end_others", "sessions_end_all", "session_end"):
            for method in ("get", "head", "options", "put"):
                asks = name != "logout" and method in ("get", "head")
                expected = (200, 302) if asks else (405,)
                assert getattr(here, method)(forms[name][0]).status_code in expected, (name, method)
        assert RefreshToken.objects.get().is_live


# How browsers read another site, and how careless code does not. `next` may never lead there.
ELSEWHERE = [
    *("https://evil.example", "HTTPS://EVIL.EXAMPLE", "//evil.example", "///evil.example", "/\\evil.example"),
    *("\\\\evil.example", "/\t/evil.example", "/\r\n/evil.example", " //evil.example", "\x01https://evil.example"),
    *("h\ttps://evil.example", "https://evil.example\\@testserver", "https://testserver@evil.example"),
    *("https://testserver.evil.example", "javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "//["),
]


def leaves(location):
    """Whether a browser that is sent to `location` from the log-in page ends up elsewhere (WHATWG URL)."""
    text = location.strip("".join(map(chr, range(33))))
    text = re.sub(r"[\t\r\n]", "", text).replace("\\", "/")
    text = re.sub(r"^/{2,}", "//", text)
    try:
        found = urlsplit(urljoin("https://testserver/accounts/login/", text))
    except ValueError:  # no address at all: browsers show an error
        return True
    return found.scheme not in ("http", "https") or found.hostname != "testserver"


@pytest.mark.once
class TestRedirects:
    def test_the_corpus_does_lead_elsewhere(self):
        assert [wanted for wanted in ELSEWHERE if not leaves(wanted)] == []

    def test_nobody_is_led_elsewhere_after_logging_in(self, client, bob):
        for wanted in ELSEWHERE:
            cache.clear()  # so many sign-ins in an hour would have to wait
            for data, query in (
                ({"next": wanted}, ""),
                ({}, f"?next={quote(wanted)}"),
                ({"next": "/"}, f"?next={quote(wanted)}"),
            ):
                response = client.post(f"{LOGIN}{query}", {"username": "bob", "password": PASSWORD, **data})
                assert response.status_code == 302
                assert not leaves(response.headers["Location"]), wanted

    def test_nor_from_the_log_in_page_when_signed_in_already_nor_from_the_admins(self, client, alice):
        signed_in = Client()
        signed_in.force_login(alice)
        for wanted in ELSEWHERE:
            visitor = client.get(f"/admin/login/?next={quote(wanted)}")
            assert not leaves(visitor.headers["Location"]), wanted
            form = client.get(visitor.headers["Location"]).content.decode()
            assert f'name="next" value="{wanted}"' not in form
            for url in (LOGIN, "/admin/login/", "/admin/logout/", LOGOUT, "/accounts/signup/"):
                response = signed_in.get(f"{url}?next={quote(wanted)}")
                assert not leaves(response.headers.get("Location", "/")), (url, wanted)

    def test_no_path_leads_elsewhere_either(self, client, db):
        """A missing slash is mended by a redirect, and a closed page leads to the log-in page."""
        for path in ("//evil.example/accounts/login", "/\\evil.example/x", "///evil.example"):
            response = client.generic("GET", "/", PATH_INFO=path)
            assert not leaves(response.headers.get("Location", "/")), path


@pytest.mark.once
class TestHost:
    """Over a socket, where nothing mends it."""

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost@evil.example", "localhost, evil.example", "loc\tlhost"]
    )
    def test_another_host_gets_no_page_or_one_of_ours(self, server, host):
        request = f"GET /accounts/sessions/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        answer = server.raw(request.encode())
        assert answer.status in (302, 400)
        assert "evil" not in answer.header("Location")
        assert b"evil" not in answer.body

    def test_a_reset_link_is_for_the_sites_own_address_whatever_the_request_says(self, production, server):
        def form():
            page = server.get("/accounts/password/reset/")
            jar = f"__Host-csrftoken={page.cookies['__Host-csrftoken']}".encode()
            return jar, {"csrfmiddlewaretoken": page.form_token, "email": "alice@example.org"}

        for headers in (
            {"X_Forwarded_Host": "evil.example"},
            {"X_Host": "evil.example", "X_Forwarded_Server": "evil.example", "X_HTTP_Host_Override": "evil.example"},
            {"Forwarded": "host=evil.example;proto=https"},
            {"X_Original_URL": "//evil.example/", "X_Rewrite_URL": "//evil.example/", "X_Forwarded_Port": "666"},
        ):
            sent = form()
            assert server.post("/accounts/password/reset/", *sent, **headers).status == 302
        poisoned = type(server)(server.port, "evil.example")
        assert poisoned.post("/accounts/password/reset/", *sent).status == 400
        line = b"POST http://evil.example/accounts/password/reset/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        assert server.raw(line + b"Content-Length: 0\r\n\r\n").status in (400, 403)

        def mails():
            texts = [path.read_text() for path in (production.data / "mail").glob("*.eml")]
            return [text for text in texts if "To: alice@" in text and "/password/reset/" in text]

        texts = wait_for(lambda: mails() if len(mails()) >= 4 else [])
        links = {link for text in texts for link in re.findall(r"https?://[^/\s]+", text)}
        assert links == {f"http://localhost:{production.port}"}

    def test_two_hosts_are_refused(self, server):
        for second in ("evil.example", f"localhost:{server.port}"):
            request = f"GET / HTTP/1.1\r\nHost: localhost:{server.port}\r\nHost: {second}\r\nConnection: close\r\n\r\n"
            answer = server.raw(request.encode())
            assert answer.status == 400 or "evil" not in answer.text

    def test_nobody_can_say_that_a_request_came_by_tls_or_from_elsewhere(self, production, server):
        said = {"X_Forwarded_Proto": "https", "X_Forwarded_Ssl": "on", "X_Forwarded_For": "203.0.113.9"}
        assert "Strict-Transport-Security" not in dict(server.get("/", **said).headers)
        _, jar = server.sign_in("bob", production.passwords["bob"])
        assert "203.0.113.9" not in server.get(SESSIONS, jar, **said, X_Real_IP="203.0.113.9").text


@pytest.mark.once
class TestFrames:
    def test_no_answer_can_be_framed(self, client, alice):
        signed_in, forged = Client(), Browser()  # whose forms are refused
        signed_in.force_login(alice)
        for url in (*VISITORS, *OWN, *ADMINS, MISSING, LOGOUT):
            for response in (client.get(url), signed_in.get(url), signed_in.post(url, {}), forged.post(url, {})):
                assert response.headers["X-Frame-Options"] == "DENY", url
                assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"], url

    def test_no_page_can_be_read_by_another_origin(self, client, alice):
        client.force_login(alice)
        for url in ("/", SESSIONS, "/admin/", MISSING, "/healthz"):
            response = client.get(url, headers={"origin": "https://evil.example"})
            assert not [name for name in response.headers if name.startswith("Access-Control-")], url
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"

    def test_no_page_takes_the_name_of_a_function(self, client, db):
        plain = client.get("/.well-known/jwks.json")
        assert client.get("/.well-known/jwks.json?callback=evil&jsonp=evil").content == plain.content
        assert plain.headers["Content-Type"] == "application/jwk-set+json"

    def test_no_path_below_a_page_is_that_page(self, client, alice):
        """Cache deception: a shared cache would keep whatever ends in .css."""
        client.force_login(alice)
        for tail in ("a.css", ";.css", "..%2Fa.css"):
            for url in (SESSIONS, "/accounts/profile/", "/accounts/activity/"):
                assert client.get(url + tail).status_code == 404, url + tail
