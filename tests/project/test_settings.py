"""The environment is read strictly, and what is documented for production passes Django's deployment checks."""

import os
import re
import runpy
import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.programs import run
from tests.smtp import mailer

ROOT = Path(__file__).resolve().parents[2]


def documented(**changes: str) -> dict[str, str]:
    """The environment of `.env.example`, with a secret key in it."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    return {**example, "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP", **changes}


@pytest.fixture
def read(monkeypatch):
    """`read(NAME=value)` gives the settings under the documented environment with these changes."""

    def read(**changes):
        for name in os.environ:
            if name.startswith("TOKENS_"):
                monkeypatch.delenv(name)
        for name in ("CACHE_URL", "DEFAULT_FROM_EMAIL", "SECRET_KEY_FALLBACKS", "STATIC_ROOT", "SECURE_SSL_REDIRECT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in documented(**changes).items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "project/settings.py"))

    return read


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("manage.py", *arguments, env={"PATH": os.environ["PATH"], **environment})


class TestRefusals:
    @pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "TOKENS_ISSUER"])
    def test_what_has_no_default_is_named_when_it_is_missing(self, read, name):
        with pytest.raises(ImproperlyConfigured, match=rf"^{name} is not set in the environment, see .env.example\.$"):
            read(**{name: ""})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DEBUG", "flase"),
            ("TRUSTED_PROXIES", "-1"),
            ("TRUSTED_PROXIES", "one"),
            ("DATABASE_URL", "nonsense"),
            ("DATABASE_URL", "postgres://sojourn:hush@host:port/name"),
            ("DATABASE_URL", "postgres://sojourn:hush@host/name?lock_timeout=soon"),
            ("DATABASE_URL", "postgres://sojourn:hush@host/name?DISABLE_SERVER_SIDE_CURSORS=flase"),
            ("CACHE_URL", "rediss"),
            ("EMAIL_URL", "mail.example.org"),
            ("EMAIL_VERIFICATION", "some"),
            ("LOG_FORMAT", "xml"),
            ("SITE_NAME", "Two\nlines"),
            ("SITE_DIR", "harbour"),
            ("SITE_LOGO", "logo.svg"),
            ("SITE_ACCENT", "green"),
            ("SITE_ACCENT", "#ffcc00"),
            ("SITE_LINKS", "Imprint"),
            ("SITE_LINKS", "Imprint=javascript:alert()"),
            ("SUPPORT_EMAIL", "help"),
            ("SECURITY_CONTACT", "security@example.org"),
            ("LOG_LEVEL", "loud"),
            ("TOKENS_ISSUER", "example.org"),
            ("TOKENS_ACCESS_LIFETIME", "15min"),
            ("TOKENS_ACCESS_LIFETIME", "-5"),
            ("TOKENS_REVOCATION_LAG", "nan"),
            ("TOKENS_COOKIE_SECURE", "2"),
            ("TOKENS_MAX_SESSIONS", "1.5"),
            ("TOKENS_ACESS_LIFETIME", "900"),
            ("TOKENS_REAUTHENTICATION_URL", "login"),  # the site's own
        ],
    )
    def test_what_is_malformed_is_named_in_one_sentence_without_its_value(self, read, name, value):
        with pytest.raises(ImproperlyConfigured, match=rf"^{name}[^\n]+\.$") as caught:
            read(**{name: value})
        assert "hush" not in str(caught.value)

    @pytest.mark.once
    def test_manage_prints_the_sentence_and_nothing_else(self):
        done = manage("migrate", **documented(TRUSTED_PROXIES="two"))
        sentence = "TRUSTED_PROXIES must be a whole number, zero or more.\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)


class TestValues:
    def test_a_setting_that_is_not_named_keeps_the_default_of_the_tokens(self, read):
        ours = {"ISSUER", "USER_CLAIMS", "COOKIE_PREFIX", "BOUND_LIFETIME", "REAUTHENTICATION_URL"}
        assert {name for name in read() if name.startswith("TOKENS_")} == {f"TOKENS_{name}" for name in ours}

    def test_each_kind_is_read_as_what_it_is(self, read):
        given = {"ACCESS_LIFETIME": "3", "REVOCATION_LAG": "0.5", "USER_CLAIMS": "username, is_staff"}
        given |= {"COOKIE_SECURE": "off", "MAX_SESSIONS": "5"}
        settings = read(**{f"TOKENS_{name}": value for name, value in given.items()})
        wanted = [3, 0.5, ["username", "is_staff"], False, 5]
        assert repr([settings[f"TOKENS_{name}"] for name in given]) == repr(wanted)

    def test_a_secret_key_is_taken_as_it_is_whatever_it_begins_with(self, read):
        assert read(SECRET_KEY="$PATH")["SECRET_KEY"] == "$PATH"

    def test_sqlite_alone_waits_for_other_writers_and_keeps_a_log(self, read):
        options = read(DATABASE_URL="sqlite:////srv/sojourn.sqlite3")["DATABASES"]["default"]["OPTIONS"]
        assert (options["transaction_mode"], options["timeout"]) == ("IMMEDIATE", 20)
        assert "journal_mode=WAL" in options["init_command"]
        database = read()["DATABASES"]["default"]
        assert database["ENGINE"] == "django.db.backends.postgresql"
        assert database["OPTIONS"] == {"connect_timeout": 5, "prepare_threshold": 5}

    @pytest.mark.parametrize(("scheme", "name"), [("postgres", "lock_timeout"), ("mysql", "read_timeout")])
    def test_deadlines_are_for_requests_and_the_url_may_change_them(self, read, scheme, name):
        query = f"{name}=9&connect_timeout=3&DISABLE_SERVER_SIDE_CURSORS=true"
        settings = read(DATABASE_URL=f"{scheme}://host/name?{query}")
        assert settings["DATABASE_DEADLINES"][name] == 9 and len(settings["DATABASE_DEADLINES"]) > 1
        assert settings["DATABASES"]["default"]["OPTIONS"] == {"connect_timeout": 3}

    def test_a_database_has_several_servers_and_settings_of_its_own(self, read):
        query = (
            "target_session_attrs=read-write&DISABLE_SERVER_SIDE_CURSORS=true&CONN_HEALTH_CHECKS=false&CONN_MAX_AGE=0"
        )
        database = read(DATABASE_URL=f"postgres://db1:5432,db2:5433/name?{query}")["DATABASES"]["default"]
        assert (database["HOST"], database["PORT"]) == ("db1,db2", "5432,5433")
        assert database["OPTIONS"]["target_session_attrs"] == "read-write"
        assert database["DISABLE_SERVER_SIDE_CURSORS"] is True and database["CONN_HEALTH_CHECKS"] is False

    def test_watchers_of_the_process_itself_need_no_tls(self, read):
        for below in ("", "app/"):
            exempt = read(TOKENS_ISSUER=f"https://example.org/{below}")["SECURE_REDIRECT_EXEMPT"]
            for url in ("healthz", "readyz", "metrics", "device-binding/refresh"):
                assert any(re.search(pattern, below + url) for pattern in exempt)
            assert not any(re.search(pattern, f"{below}metricsX") for pattern in exempt)

    def test_mail_leaves_by_tls(self, read):
        settings = read()
        options = {"host": "mail.example.org", "port": 587, "username": "user", "password": "password", "use_tls": True}
        wanted = mailer("django.core.mail.backends.smtp.EmailBackend", **options, timeout=10)
        assert settings.items() >= wanted.items()
        assert settings["DEFAULT_FROM_EMAIL"] == "Sojourn <noreply@example.org>"

    @pytest.mark.parametrize(
        ("secure", "site", "prefix"),
        [("true", "", "__Host-"), ("false", "", ""), ("true", "shop", "__Host-shop-"), ("false", "shop", "shop-")],
    )
    def test_every_cookie_has_the_prefix_exactly_when_it_is_secure_and_then_that_of_the_site(
        self, read, secure, site, prefix
    ):
        settings = read(TOKENS_COOKIE_SECURE=secure, TOKENS_COOKIE_PREFIX=site)
        for kind, name in [("CSRF", "csrftoken"), ("SESSION", "session"), ("LANGUAGE", "language")]:
            assert settings[f"{kind}_COOKIE_NAME"] == prefix + name
            assert settings[f"{kind}_COOKIE_SECURE"] is (secure == "true")
            assert settings[f"{kind}_COOKIE_HTTPONLY"] is True
            assert settings[f"{kind}_COOKIE_SAMESITE"] == "Lax"
            assert f"{kind}_COOKIE_DOMAIN" not in settings
        assert (settings["MESSAGES_COOKIE_NAME"], settings["DEVICE_COOKIE_NAME"]) == (
            f"{prefix}messages",
            f"{prefix}device",
        )

    def test_a_link_to_a_new_password_is_good_for_an_hour(self, read):
        assert read()["PASSWORD_RESET_TIMEOUT"] == 3600

    def test_passwords_are_hashed_by_our_own_argon2_and_may_be_all_digits(self, read):
        settings = read()
        assert settings["PASSWORD_HASHERS"][0] == "accounts.security.hashers.Argon2Hasher"
        assert "Numeric" not in str(settings["AUTH_PASSWORD_VALIDATORS"])

    @pytest.mark.parametrize("hops", ["0", "1"])
    def test_a_header_about_tls_counts_only_behind_a_proxy(self, read, hops):
        assert ("SECURE_PROXY_SSL_HEADER" in read(TRUSTED_PROXIES=hops)) is (hops == "1")


@pytest.mark.once
class TestCommands:
    def test_the_documented_environment_passes_the_deployment_checks(self):
        done = manage("check", "--deploy", "--fail-level", "WARNING", **documented())
        assert (done.returncode, done.stderr) == (0, "")

    def test_no_migration_is_missing(self):
        done = manage("makemigrations", "--check", "--dry-run", **documented(DATABASE_URL="sqlite://:memory:"))
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.urls("tests.observability.urls")
@pytest.mark.django_db
class TestHeaders:
    @pytest.mark.parametrize(
        ("url", "host", "status"),
        [
            ("/accounts/login/", "testserver", 200),
            ("/accounts/login/", "evil.example", 400),
            ("/accounts/sessions/", "testserver", 302),
            ("/no-such-page", "testserver", 404),
            ("/broken/", "testserver", 500),
            ("/static/admin/css/base.css", "testserver", 200),
            ("/healthz", "testserver", 200),
            ("/.well-known/jwks.json", "testserver", 200),
        ],
    )
    def test_every_answer_has_them(self, client, url, host, status):
        client.raise_request_exception = False
        response = client.get(url, secure=True, headers={"host": host})
        headers = response.headers
        assert response.status_code == status
        assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["object-src"] == "'none'"
        assert not re.search(r"unsafe|data:|\*", headers["Content-Security-Policy"])
        allowed = headers.get("Access-Control-Allow-Origin")
        assert allowed == ("*" if url.endswith("jwks.json") else None)  # public keys are for everybody
        response.close()
