"""The one list of the site's pages. tests/accounts/test_pages.py holds the open ones against the URL conf."""

from uuid import UUID

# Every route outside the API that is open to everybody, and the status of what a visitor gets there.
OPEN = {
    "/": 200,
    "/.well-known/change-password": 302,
    "/.well-known/jwks.json": 200,
    "/.well-known/openid-configuration": 200,
    "/.well-known/passkey-endpoints": 200,
    "/.well-known/security.txt": 404,
    "/.well-known/status-list": 404,
    "/accounts/email/confirm/<uuid:key>/<token>/": 200,
    "/accounts/email/undo/<uuid:key>/<token>/": 200,
    "/accounts/email/verify/": 302,
    "/accounts/language/": 405,
    "/accounts/login/": 200,
    "/accounts/login/<slug:name>/": 405,
    "/accounts/login/<slug:name>/callback/": 404,
    "/accounts/login/passkey/": 302,
    "/accounts/login/passkey/options/": 200,
    "/accounts/logout/": 405,
    "/accounts/password/reset/": 200,
    "/accounts/password/reset/<uidb64>/<token>/": 200,
    "/accounts/password/reset/complete/": 200,
    "/accounts/password/reset/done/": 200,
    "/accounts/second-factor/": 302,
    "/accounts/second-factor/keep/<uuid:key>/<token>/": 200,
    "/accounts/second-factor/lost/": 302,
    "/accounts/second-factor/remove/<uuid:key>/<token>/": 200,
    "/accounts/signup/": 200,
    "/admin/login/": 302,
    "/apple-touch-icon.png": 301,
    "/csp-report": 405,
    "/device-binding/refresh": 405,
    "/device-binding/register": 405,
    "/favicon.ico": 301,
    "/healthz": 200,
    "/metrics": 404,
    "/readyz": 200,
    "/robots.txt": 200,
    "/site.css": 404,
}
SAMPLES = {"<slug:name>": "acme", "<uidb64>": "MQ", "<token>": "here", "<uuid:key>": str(UUID(int=1))}

# Where people begin, as a visitor and as somebody who is signed in.
VISITORS = ("/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/")
OWN = (
    "/accounts/profile/",
    "/accounts/security/",
    "/accounts/security/authenticator/",
    "/accounts/username/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/sessions/",
    "/accounts/activity/",
    "/accounts/export/",
    "/accounts/delete/",
)
ADMINS = ("/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/", "/admin/tokens/refreshtoken/")
MISSING = "/no/such/page/"

# For programs, which get the same whoever they are.
MACHINES = ("/healthz", "/readyz", "/.well-known/jwks.json", "/.well-known/openid-configuration", "/robots.txt")
