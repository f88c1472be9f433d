import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks

from tests import valkey
from tokens import checks, project_checks
from tokens.core import keyfile
from tokens.core import keys as signing_keys

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
TOKENS = "tokens.middleware.TokenMiddleware"
DJANGOS = "django.contrib.auth.middleware.AuthenticationMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"

WRONG = [
    ("TOKENS_ISSUER", "", "E001"),
    ("TOKENS_AUDIENCE", ["a", "b"], "E001"),
    ("TOKENS_IDLE_LIFETIME", 0, "E002"),
    *(("TOKENS_ACCESS_LIFETIME", value, "E002") for value in (0.999, "900", True, float("nan"), float("inf"))),
    ("TOKENS_ABSOLUTE_LIFETIME", -1, "E002"),
    ("TOKENS_BROWSER_LIFETIME", None, "E002"),
    ("TOKENS_CONFIRM_AFTER", 0, "E002"),
    ("TOKENS_REVOCATION_LAG", -0.001, "E003"),
    ("TOKENS_REVOCATION_GRACE", "1", "E003"),
    ("TOKENS_ACCESS_LIFETIME", 7 * 24 * 3600, "E004"),
    ("TOKENS_ABSOLUTE_LIFETIME", 7 * 24 * 3600 - 1, "E004"),
    ("TOKENS_CONFIRM_AFTER", 301, "E005"),
    ("TOKENS_REUSE_REVOKES", "none", "E006"),
    *(("TOKENS_MAX_SESSIONS", value, "E007") for value in (0, 1.5, True)),
    *(("TOKENS_USER_CLAIMS", [name], "E008") for name in ("password", "no_field", "groups")),
    *(("TOKENS_USER_CLAIMS", value, "E008") for value in ("username", None)),
    ("TOKENS_COOKIE_SECURE", 1, "E009"),
    *(("TOKENS_COOKIE_PREFIX", value, "E019") for value in ("shop;", "bücher", 1, None)),
    *(("TOKENS_STATUS_LIST", value, "E014") for value in (-8, 1001, 1024.0, False, 2**31 + 8)),
    ("TOKENS_STATUS_LIST", 1024, "E015"),
    *(("TOKENS_REAUTHENTICATION_URL", value, "E022") for value in ("nowhere", "/accounts/confirm/")),
    *(("TOKENS_BOUND_LIFETIME", value, "E020") for value in (1, 299.9, -300, "600", True, float("inf"))),
    ("TOKENS_ADOPT_SESSIONS", True, "E016"),
    *(("TOKENS_ADOPT_ENGINE", value, "E016") for value in ("", "tokens.checks")),
]
RIGHT = [
    ("TOKENS_ACCESS_LIFETIME", 1.5),
    ("TOKENS_IDLE_LIFETIME", 30 * 24 * 3600),
    ("TOKENS_CONFIRM_AFTER", 300),
    ("TOKENS_REVOCATION_LAG", 0),
    ("TOKENS_REUSE_REVOKES", "family"),
    ("TOKENS_MAX_SESSIONS", 1),
    ("TOKENS_USER_CLAIMS", ["username", "is_superuser", "last_login"]),
    ("TOKENS_COOKIE_SECURE", False),
    ("TOKENS_ADOPT_SESSIONS", "sessionid"),
    ("TOKENS_BOUND_LIFETIME", 0),
]


def ids(found):
    return [message.id for message in found]


class TestCheckSettings:
    def test_the_defaults_are_right(self, settings):
        for name in {name for name, *_ in WRONG}:
            if hasattr(settings, name):
                delattr(settings, name)
        assert checks.check_settings() == []

    @pytest.mark.parametrize(("name", "value", "wanted"), WRONG)
    def test_a_wrong_value_is_told_by_one_id_and_the_settings_name(self, settings, name, value, wanted):
        settings.TOKENS_AUDIENCE = "https://neighbour.example"  # which is the issuer otherwise
        setattr(settings, name, value)
        [message] = checks.check_settings()
        assert message.id == f"tokens.{wanted}"
        assert name in message.msg
        assert message.is_serious()

    @pytest.mark.parametrize(("name", "value"), RIGHT)
    def test_a_right_value_is_not(self, settings, name, value):
        setattr(settings, name, value)
        assert checks.check_settings() == []

    def test_each_wrong_name_among_the_claims_is_told(self, settings):
        settings.TOKENS_USER_CLAIMS = ["username", "password", "no_field"]
        assert ids(checks.check_settings()) == ["tokens.E008", "tokens.E008"]

    def test_a_field_named_like_a_claim_of_the_token_is_none_of_the_users(self, settings, monkeypatch):
        monkeypatch.setattr(checks, "RESERVED", checks.RESERVED | {"username"})
        settings.TOKENS_USER_CLAIMS = ["username"]
        assert ids(checks.check_settings()) == ["tokens.E008"]

    def test_several_wrong_settings_are_told_at_once(self, settings):
        settings.TOKENS_ISSUER = ""
        settings.TOKENS_MAX_SESSIONS = 0
        assert ids(checks.check_settings()) == ["tokens.E001", "tokens.E001", "tokens.E007"]


class TestCheckLength:
    @pytest.fixture
    def long(self, settings, tmp_path):
        """Signatures of 512 characters."""
        keyfile.write(tmp_path / "rsa.json", {"keys": [signing_keys.generate_jwk("RS256")]})
        settings.TOKENS_KEYS = str(tmp_path / "rsa.json")
        settings.TOKENS_ISSUER = settings.TOKENS_AUDIENCE = "https://a.example"

    def test_a_place_in_the_list_beside_the_longest_name(self, settings, long):
        assert checks.check_length() == []
        settings.AUTHENTICATION_BACKENDS = ["tests.tokens.test_backends.DirectoryBackend"]
        assert checks.check_length() != []
        settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
        settings.TOKENS_STATUS_LIST = 2**20
        (message,) = checks.check_length()
        assert message.id == "tokens.W003"
        assert "An access token can have 2,1" in message.msg

    def test_what_it_says_is_so(self, settings, long, bob, signed_in):
        """Signed in all the same, by a refresh on each request; and nothing of that with names as people have them."""
        settings.ROOT_URLCONF = "tests.tokens.urls"
        settings.TOKENS_STATUS_LIST = 2**20
        for name, refreshes in (("bob", False), ("\U00020000" * 150, True)):
            type(bob).objects.update(username=name)
            bob.refresh_from_db()
            here = signed_in(bob)
            response = here.get("/who/")
            assert response.content.decode() == name
            assert ("__Host-refresh" in response.cookies) == refreshes

    def test_many_claims(self, settings):
        settings.TOKENS_USER_CLAIMS = ["username", "email", "is_staff"]
        assert checks.check_length() == []
        settings.TOKENS_USER_CLAIMS = ["username", "first_name", "last_name"]
        assert ids(checks.check_length()) == ["tokens.W003"]

    def test_settings_that_cannot_work_are_told_elsewhere(self, settings):
        settings.TOKENS_USER_CLAIMS = ["no_field"]
        assert checks.check_length() == []


class TestCheckMiddleware:
    @pytest.mark.parametrize(
        "stack",
        [
            [COMMON, SESSIONS, COMMON, TOKENS, COMMON],
            [SESSIONS, "tests.tokens.test_checks.Ours"],
            ["tests.tokens.test_checks.plain", SESSIONS, TOKENS],
        ],
    )
    def test_once_after_the_sessions(self, settings, stack):
        settings.MIDDLEWARE = stack
        assert checks.check_middleware() == []

    @pytest.mark.parametrize("stack", [[TOKENS, SESSIONS], [SESSIONS, DJANGOS], [SESSIONS, TOKENS, TOKENS]])
    def test_missing_doubled_or_in_another_order(self, settings, stack):
        settings.MIDDLEWARE = stack
        assert ids(checks.check_middleware()) == ["tokens.E010"]


def test_keys_that_cannot_be_used(settings, tmp_path):
    settings.TOKENS_KEYS = str(tmp_path / "nowhere.json")
    settings.TOKENS_STATUS_LIST = 1024  # whose check needs the keys, and does not tell of them again
    (message,) = checks.check_settings()
    assert (message.id, message.msg) == ("tokens.E012", "TOKENS_KEYS: the file cannot be read (FileNotFoundError).")
    for value in (tmp_path / "nowhere.json", {"keys": []}):
        settings.TOKENS_KEYS = value
        assert ids(checks.check_settings()) == ["tokens.E012"]
    settings.TOKENS_KEYS = None
    assert ids(checks.check_settings()) == ["tokens.E015"]


@pytest.mark.parametrize(("cache", "wanted"), [("default", "tokens.E013"), ("nowhere", "tokens.E011")])
def test_a_list_for_all_in_a_cache_of_one_or_none(settings, cache, wanted):
    settings.TOKENS_REVOCATION_CACHE = cache
    assert ids(checks.check_settings()) == [wanted]


REDIS = "django.core.cache.backends.redis.RedisCache"


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("redis://other/0", []),
        ("redis://localhost:6379/1", ["tokens.E017"]),  # another database of the same server
        ("unix:///run/redis.sock?db=2", ["tokens.E017"]),
        (["redis://other", "redis://replica"], ["tokens.E017"]),
        ("redis://other,redis://replica", ["tokens.E017"]),
    ],
)
def test_a_list_beside_what_strangers_fill_or_on_several_servers(settings, location, wanted):
    taken = {"default": "redis://:password@localhost/0", "pages": "unix:///run/redis.sock", "local": ""}
    settings.CACHES = {
        alias: {"BACKEND": REDIS, "LOCATION": place} for alias, place in {**taken, "list": location}.items()
    }
    settings.TOKENS_REVOCATION_CACHE = "list"
    assert ids(checks.check_settings()) == wanted


@pytest.mark.parametrize("size", [8, 2**31])
def test_a_status_list_that_neighbours_can_verify(status_list, settings, size):
    settings.TOKENS_STATUS_LIST = size
    assert checks.check_settings() == []


class TestCheckDatabases:
    def test_replicas_are_welcome_and_users_in_another_database_are_not(self, settings):
        assert checks.check_databases() == []
        settings.DATABASE_ROUTERS = ["tests.tokens.replica.UsersElsewhere"]
        (message,) = checks.check_databases()
        assert message.id == "tokens.E018"
        assert "sessions to 'default', but users to 'people'" in message.msg


class TestCheckDeployment:
    @pytest.fixture(autouse=True)
    def fit(self, settings):
        """As a site is that others can reach."""
        settings.TOKENS_ISSUER = "https://example.org"
        settings.TOKENS_REVOCATION_LAG = 1

    def test_a_site_with_a_name_and_secure_cookies_is_fit(self):
        assert checks.check_deployment() == []

    def test_cookies_over_plain_http(self, settings):
        settings.TOKENS_COOKIE_SECURE = False
        assert ids(checks.check_deployment()) == ["tokens.W001"]

    def test_no_issuer(self, settings):
        del settings.TOKENS_ISSUER
        assert ids(checks.check_deployment()) == ["tokens.W002"]

    def test_an_address_by_plain_http(self, settings):
        for value in ("http://example.org", 1):
            settings.TOKENS_ISSUER = value
            assert ids(checks.check_deployment()) == ["tokens.W004"]

    def test_a_list_that_is_asked_too_seldom(self, settings):
        settings.TOKENS_REVOCATION_LAG = 15 * 60
        assert ids(checks.check_deployment()) == ["tokens.W006"]
        settings.TOKENS_REVOCATION_LAG -= 1
        assert checks.check_deployment() == []

    @pytest.mark.parametrize(("mode", "wanted"), [(0o640, []), (0o604, ["tokens.W007"])])
    def test_keys_that_everybody_can_read(self, settings, tmp_path, mode, wanted):
        keyfile.write(tmp_path / "keys.json", {"keys": [signing_keys.generate_jwk("ES256")]})
        (tmp_path / "keys.json").chmod(mode)
        settings.TOKENS_KEYS = str(tmp_path / "keys.json")
        assert ids(checks.check_deployment()) == wanted

    @pytest.mark.parametrize(("name", "wanted"), [("__Host-session", ["tokens.W008"]), ("sessionid", [])])
    def test_sessions_that_nobody_can_end(self, settings, name, wanted):
        settings.TOKENS_ADOPT_SESSIONS = name
        assert ids(checks.check_deployment()) == wanted

    @pytest.mark.parametrize(("policy", "wanted"), [("noeviction", []), ("volatile-lru", ["tokens.W009"])])
    def test_a_redis_that_evicts(self, settings, policy, wanted):
        with valkey.running() as server:
            server.client().config_set("maxmemory-policy", policy)
            settings.CACHES = {**settings.CACHES, "list": valkey.backend(server)}
            settings.TOKENS_REVOCATION_CACHE = "list"
            assert ids(checks.check_deployment()) == wanted


class TestCheckOrder:
    @pytest.mark.parametrize(("lifetime", "fits"), [(900, False), (901, True), (30 * 86400, True), (30 * 86401, False)])
    def test_a_sign_in_that_is_not_kept_ends_in_between(self, settings, lifetime, fits):
        settings.TOKENS_BROWSER_LIFETIME = lifetime
        assert ids(checks.check_order()) == ([] if fits else ["tokens.W005"])

    def test_what_is_no_number_is_told_elsewhere(self, settings):
        settings.TOKENS_BROWSER_LIFETIME = "1 day"
        assert checks.check_order() == []


class TestRegister:
    def test_manage_py_check_asks_them_and_some_for_deployment_alone(self, settings):
        settings.MIDDLEWARE = []
        settings.TOKENS_MAX_SESSIONS = 0
        settings.TOKENS_COOKIE_SECURE = False
        asked = {message.id for message in run_checks(databases=[])}
        assert asked >= {"tokens.E007", "tokens.E010"}
        deployed = {message.id for message in run_checks(include_deployment_checks=True, databases=[])}
        assert deployed - asked >= {"tokens.W001"}


WARNINGS = {f"W{number:03}" for number in range(1, 16)}


class TestSurroundings:
    @pytest.mark.parametrize(
        ("about", "ids"),
        [
            ({"SESSION_COOKIE_PATH": "/shop/"}, ["tokens.W010"]),
            ({"SESSION_COOKIE_NAME": "shop"}, ["tokens.W010"]),
            ({"SESSION_COOKIE_NAME": "shop", "TOKENS_COOKIE_PREFIX": "shop"}, []),
            ({}, []),
        ],
    )
    def test_a_session_cookie_with_other_attributes_changes_no_sign_in(self, settings, about, ids):
        settings.SESSION_COOKIE_NAME = "sessionid"
        del settings.TOKENS_COOKIE_PREFIX
        for name, value in about.items():
            setattr(settings, name, value)
        assert [found.id for found in project_checks.check_session_cookie()] == ids

    @pytest.mark.parametrize(
        ("about", "ids"),
        [
            ({"SESSION_COOKIE_AGE": 1800}, []),
            ({"SESSION_SAVE_EVERY_REQUEST": True}, []),
            ({"SESSION_SAVE_EVERY_REQUEST": True, "SESSION_COOKIE_AGE": 1800}, ["tokens.W015"]),
            ({"SESSION_SAVE_EVERY_REQUEST": True, "SESSION_COOKIE_AGE": 365 * 24 * 3600}, []),
        ],
    )
    def test_an_age_that_each_request_would_begin_anew_counts_from_the_sign_in(self, settings, about, ids):
        for name, value in about.items():
            setattr(settings, name, value)
        assert [found.id for found in project_checks.check_session_age()] == ids

    def test_channels_own_authentication_is_found_in_the_text_of_the_application(self, settings, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        for name, line in (("theirs", "from channels.auth import AuthMiddlewareStack"), ("ours", "application = None")):
            (tmp_path / f"asgi_{name}.py").write_text(line)
        found = []
        for name in ("asgi_theirs.application", "asgi_ours.application", "asgi_gone.application", None):
            settings.ASGI_APPLICATION = name
            found.append([message.id for message in project_checks.check_channels()])
        assert found == [["tokens.W011"], [], [], []]

    @pytest.mark.parametrize(
        ("order", "ids"),
        [(["tokens", "auth"], ["tokens.W012"]), (["auth", "tokens"], []), (["auth"], [])],  # without it, in a test
    )
    def test_django_stamps_no_sign_in_a_second_time(self, monkeypatch, order, ids):
        configs = [SimpleNamespace(label=label) for label in order]
        monkeypatch.setattr(project_checks.apps, "get_app_configs", lambda: configs)
        assert [found.id for found in project_checks.check_apps()] == ids
        stampless = SimpleNamespace(_meta=SimpleNamespace(concrete_fields=[]))
        monkeypatch.setattr(project_checks, "get_user_model", lambda: stampless)
        assert project_checks.check_apps() == []

    def test_each_package_that_lists_djangos_sessions_is_named(self, monkeypatch):
        monkeypatch.setattr(project_checks.apps, "is_installed", {"qsessions", "user_sessions"}.__contains__)
        found = [(message.id, message.msg.split()[0]) for message in project_checks.check_packages()]
        assert found == [("tokens.W014", "qsessions"), ("tokens.W014", "user_sessions")]

    @pytest.mark.parametrize(("after", "ids"), [(True, []), (False, ["tokens.E010"])])
    def test_headers_of_a_proxy_are_read_once_it_is_known_who_is_signed_in(self, settings, after, ids):
        ours, remote = "tokens.middleware.TokenMiddleware", "django.contrib.auth.middleware.RemoteUserMiddleware"
        stack = [ours, remote] if after else [remote, ours]
        settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", *stack]
        assert [found.id for found in checks.check_middleware()] == ids


class TestIds:
    def test_each_stands_for_one_thing_and_is_tried_here(self):
        code = "".join(Path(module.__file__).read_text() for module in (checks, project_checks))
        written = re.findall(r'id="tokens\.([EW]\d{3})"', code)
        elsewhere = {"E003", "E010", "E011", "E012", "E013", "E017", "E018", "E021"}
        assert sorted(written) == sorted({wanted for *_, wanted in WRONG} | elsewhere | WARNINGS)


def plain(get_response):
    return get_response


def __getattr__(name):
    """`Ours`, a subclass of the middleware; made late, because the middleware needs the app registry."""
    if name != "Ours":
        raise AttributeError(name)
    from tokens.middleware import TokenMiddleware

    return type("Ours", (TokenMiddleware,), {})
