"""Define the site's settings. Whatever differs between installations comes from the environment: see .env.example."""

import os
from email.utils import formataddr
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.core.exceptions import ImproperlyConfigured

from project import environment as env
from project import logs, sentry

BASE_DIR = Path(__file__).resolve().parent.parent

# Whose site it is: docs/howto/make-it-yours.md

SITE_NAME = env.line("SITE_NAME", default="Sojourn")
SITE_DIR = env.folder("SITE_DIR")  # its templates, static files and translations come before those here
SITE_LOGO = env.logo("SITE_LOGO", SITE_DIR and SITE_DIR / "static")
SITE_ACCENT = env.colour("SITE_ACCENT")
SITE_LINKS = env.links("SITE_LINKS")
SUPPORT_EMAIL = env.email("SUPPORT_EMAIL")
SECURITY_CONTACT = env.contact("SECURITY_CONTACT", SUPPORT_EMAIL)


def _dirs(name: str) -> list[Path]:
    """Return the folders of that name, the site's own first."""
    return [folder / name for folder in (SITE_DIR, BASE_DIR) if folder and (folder / name).is_dir()]


# The process

SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default="")
DEBUG = env.switch("DEBUG", default=False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
TRUSTED_PROXIES = env.whole("TRUSTED_PROXIES", default=0)
METRICS_TOKEN = env.text("METRICS_TOKEN", default="")

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
ASGI_APPLICATION = "project.asgi.application"

INSTALLED_APPS = [
    "accounts",
    "accounts.apps.SojournAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "tokens",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "project",
]

MIDDLEWARE = [
    "project.http_metrics.HttpMetricsMiddleware",
    # What static files need as well comes before WhiteNoise: the headers, and the client's IP address.
    "project.middleware.SiteMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "tokens.middleware.StrictCookiesMiddleware",
    "project.middleware.StaticFilesMiddleware",
    "accounts.middleware.RepeatedFormMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "project.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "tokens.middleware.TokenMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "accounts.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.middleware.PageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": _dirs("templates"),
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["project.templatetags.site"],
        },
    },
]

FORM_RENDERER = "accounts.fields.Renderer"

FILE_UPLOAD_HANDLERS = ["project.uploads.RefuseFilesHandler"]

# Storage

DATABASES = {"default": env.database("DATABASE_URL")}
DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
DATABASES["default"].setdefault("CONN_HEALTH_CHECKS", True)
DATABASE_DEADLINES = env.deadlines("DATABASE_URL", DATABASES["default"])  # project/deadlines.py
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Otherwise a transaction that reads first would fail instead of waiting when another one writes.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # With a write-ahead log, NORMAL loses data only when the machine loses power, not when a process is killed.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
        **DATABASES["default"].get("OPTIONS", {}),
    }
# A pooler, of which that switch is Django's sign, may have no prepared statements (tokens/models/prepared.py).
if DATABASES["default"]["ENGINE"].endswith(".postgresql") and "DISABLE_SERVER_SIDE_CURSORS" not in DATABASES["default"]:
    DATABASES["default"]["OPTIONS"].setdefault("prepare_threshold", 5)

CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}
if env.is_set("REVOCATION_CACHE_URL"):
    CACHES["revocation"] = env.cache("REVOCATION_CACHE_URL")
    TOKENS_REVOCATION_CACHE = "revocation"
for cache in CACHES.values():
    cache["OPTIONS"] = {
        # Attempts are counted here (accounts/security/rate_limit.py). With Django's default of 300 entries they would
        # evict each other. The timeouts are short because the site works without the server.
        "LocMemCache": {"MAX_ENTRIES": 50_000},
        "RedisCache": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }.get(cache["BACKEND"].rpartition(".")[2], {}) | cache.get("OPTIONS", {})

TOKENS_ISSUER = env.site("TOKENS_ISSUER")
FORCE_SCRIPT_NAME = urlsplit(TOKENS_ISSUER).path.rstrip("/") or None  # of a site below a path: https://example.org/app

STATIC_URL = f"{FORCE_SCRIPT_NAME or ''}/static/"  # a server asks for it before Django would put the path before it
STATIC_ROOT = Path(env.text("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = _dirs("static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

WHITENOISE_ALLOW_ALL_ORIGINS = False  # No other site needs our files.

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"  # for apps of one's own

# Authentication

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.security.backends.UsernameOrEmailBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 3600
GEOIP_PATH = env.text("GEOIP_PATH", default="")  # accounts/account/geoip.py
EMAIL_VERIFICATION = env.one_of("EMAIL_VERIFICATION", ("optional", "account", "mandatory"), default="optional")
REQUIRE_SECOND_FACTOR_FOR = env.words("REQUIRE_SECOND_FACTOR_FOR", default="")

PROVIDERS = env.providers("PROVIDERS")  # accounts/providers/registry.py

PASSWORD_HASHERS = [
    "accounts.security.hashers.Argon2Hasher",
    # Imported hashes are accepted, and upgraded to the first hasher at the next sign-in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
]

# NumericPasswordValidator is left out: it is a composition rule, and those make passwords worse (NIST SP 800-63B).
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "email", "first_name", "last_name")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 15},  # of NIST SP 800-63B-4, where a password is the only factor
    },
    {"NAME": "accounts.security.validators.MaximumLengthValidator", "OPTIONS": {"max_length": 1024}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.security.validators.PredictableValidator"},
    {"NAME": "accounts.security.validators.BreachedPasswordValidator"},
]

# The tokens. What the environment does not set is not set here either: the defaults, which depend on one another, are
# in tokens/conf.py.

# Every request reads these.
TOKENS_USER_CLAIMS = env.words("TOKENS_USER_CLAIMS", default="username,is_staff,email_verified_at,reuse_unanswered")
TOKENS_COOKIE_PREFIX = env.text("TOKENS_COOKIE_PREFIX", default="")  # for the site's other cookies as well
TOKENS_BOUND_LIFETIME = env.seconds("TOKENS_BOUND_LIFETIME", default=600)
if env.is_set("TOKENS_AUDIENCE"):
    TOKENS_AUDIENCE = env.text("TOKENS_AUDIENCE")
if env.is_set("TOKENS_ACCESS_LIFETIME"):
    TOKENS_ACCESS_LIFETIME = env.seconds("TOKENS_ACCESS_LIFETIME")
if env.is_set("TOKENS_IDLE_LIFETIME"):
    TOKENS_IDLE_LIFETIME = env.seconds("TOKENS_IDLE_LIFETIME")
if env.is_set("TOKENS_ABSOLUTE_LIFETIME"):
    TOKENS_ABSOLUTE_LIFETIME = env.seconds("TOKENS_ABSOLUTE_LIFETIME")
if env.is_set("TOKENS_BROWSER_LIFETIME"):
    TOKENS_BROWSER_LIFETIME = env.seconds("TOKENS_BROWSER_LIFETIME")
if env.is_set("TOKENS_CONFIRM_AFTER"):
    TOKENS_CONFIRM_AFTER = env.seconds("TOKENS_CONFIRM_AFTER")
if env.is_set("TOKENS_REUSE_REVOKES"):
    TOKENS_REUSE_REVOKES = env.text("TOKENS_REUSE_REVOKES")
if env.is_set("TOKENS_KEYS"):
    TOKENS_KEYS = env.text("TOKENS_KEYS")
if env.is_set("TOKENS_COOKIE_SECURE"):
    TOKENS_COOKIE_SECURE = env.switch("TOKENS_COOKIE_SECURE")
if env.is_set("TOKENS_REVOCATION_LAG"):
    TOKENS_REVOCATION_LAG = env.seconds("TOKENS_REVOCATION_LAG")
if env.is_set("TOKENS_REVOCATION_GRACE"):
    TOKENS_REVOCATION_GRACE = env.seconds("TOKENS_REVOCATION_GRACE")
if env.is_set("TOKENS_MAX_SESSIONS"):
    TOKENS_MAX_SESSIONS = env.whole("TOKENS_MAX_SESSIONS")
if env.is_set("TOKENS_STATUS_LIST"):
    TOKENS_STATUS_LIST = env.whole("TOKENS_STATUS_LIST")
if env.is_set("TOKENS_ADOPT_SESSIONS"):
    TOKENS_ADOPT_SESSIONS = env.text("TOKENS_ADOPT_SESSIONS")
if env.is_set("TOKENS_ADOPT_ENGINE"):
    TOKENS_ADOPT_ENGINE = env.text("TOKENS_ADOPT_ENGINE")

for name in filter(env.is_set, os.environ):
    if name.startswith("TOKENS_") and name not in globals():
        raise ImproperlyConfigured(f"{name} is not a setting of this site, see .env.example.")
TOKENS_REAUTHENTICATION_URL = "confirm"  # The site's own page, so the environment must not name another.

# Cookies. One whose name begins with __Host- cannot be set by a sibling domain or over plain http.

COOKIES_SECURE = env.switch("TOKENS_COOKIE_SECURE", default=True)
_host, _site = "__Host-" if COOKIES_SECURE else "", TOKENS_COOKIE_PREFIX.rstrip("-")
COOKIE_PREFIX = f"{_host}{_site}-" if _site else _host

CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = COOKIES_SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "project.errors.csrf_failure"

# Django's session signs nobody in; it is there for code that needs request.session.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}session"
SESSION_COOKIE_SECURE = COOKIES_SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

MESSAGE_STORAGE = "project.messages.PrefixedCookieStorage"
MESSAGES_COOKIE_NAME = f"{COOKIE_PREFIX}messages"

DEVICE_COOKIE_NAME = f"{COOKIE_PREFIX}device"  # accounts/security/known_browsers.py

ATTEMPT_COOKIE_NAME = f"{COOKIE_PREFIX}attempt"  # accounts/factors/attempts.py
PROVIDER_COOKIE_NAME = f"{COOKIE_PREFIX}provider"  # accounts/providers/flows.py
TRUST_COOKIE_NAME = f"{COOKIE_PREFIX}trust"  # accounts/factors/trusted_browsers.py

LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SECURE = COOKIES_SECURE
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"

if django.VERSION < (6, 1):  # which has it deprecated, and False by default
    SIGNED_COOKIE_LEGACY_SALT_FALLBACK = False

# Security headers

SECURE_SSL_REDIRECT = env.switch("SECURE_SSL_REDIRECT", default=True)
# Monitoring connects to the process itself, without TLS. At a redirect a browser would forget the key of its session.
_below = f"{FORCE_SCRIPT_NAME[1:]}/" if FORCE_SCRIPT_NAME else ""
SECURE_REDIRECT_EXEMPT = [f"^{_below}{path}" for path in ("healthz$", "readyz$", "metrics$", "device-binding/")]
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Only our own files, and no inline scripts or styles, so that no page needs a nonce. Django's admin works with it
# unchanged.
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "object-src": ["'none'"],
    "frame-ancestors": ["'none'"],
    "report-uri": f"{FORCE_SCRIPT_NAME or ''}/csp-report",  # project/csp.py
}
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()" for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
)

# Languages, time, mail, logging

LANGUAGE_CODE = "en"
# docs/howto/languages.md
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("zh-hans", "简体中文")]
LOCALE_PATHS = _dirs("locale")
FORMAT_MODULE_PATH = ["project.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

_mailer = env.mailer("EMAIL_URL", default="smtp://localhost:25")
if django.VERSION >= (6, 1):
    MAILERS = {"default": _mailer}
else:  # the settings that MAILERS replaces
    EMAIL_BACKEND = _mailer["BACKEND"]
    EMAIL_HOST = _mailer["OPTIONS"].get("host", "localhost")
    EMAIL_PORT = _mailer["OPTIONS"].get("port", 25)
    EMAIL_HOST_USER = _mailer["OPTIONS"].get("username", "")
    EMAIL_HOST_PASSWORD = _mailer["OPTIONS"].get("password", "")
    EMAIL_USE_TLS = _mailer["OPTIONS"].get("use_tls", False)
    EMAIL_USE_SSL = _mailer["OPTIONS"].get("use_ssl", False)
    EMAIL_TIMEOUT = _mailer["OPTIONS"].get("timeout")
    EMAIL_FILE_PATH = _mailer["OPTIONS"].get("file_path", "")
DEFAULT_FROM_EMAIL = env.text(
    "DEFAULT_FROM_EMAIL", default=formataddr((SITE_NAME, f"noreply@{urlsplit(TOKENS_ISSUER).hostname}"))
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL
BOUNCE_EMAIL = env.email("BOUNCE_EMAIL") or DEFAULT_FROM_EMAIL

LOG_LEVEL = env.one_of("LOG_LEVEL", logs.LEVELS, default="info")
LOGGING = logs.configuration(logs.form_of_environment(), LOG_LEVEL)

if env.is_set("SENTRY_DSN"):
    sentry.start(env.text("SENTRY_DSN"))
