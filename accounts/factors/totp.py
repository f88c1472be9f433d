"""Check the codes of authenticator apps (TOTP, RFC 6238), with the library `pyotp`.

The secret is encrypted in the table: whoever reads a backup, but not SECRET_KEY, makes no codes.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from time import time

import pyotp
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from accounts.models.factors import Authenticator
from accounts.security.normalization import normalize_code

STEP = 30  # seconds
DIGITS = 6
DRIFT = 1  # steps that a clock may be ahead or behind (RFC 6238 §5.2)
_SALT = "accounts.factors.totp"


def new_secret() -> str:
    """Return a secret of 160 bits, as RFC 4226 §4 recommends, in base32."""
    return pyotp.random_base32(32)


def uri(secret: str, user: User) -> str:
    """Return what the QR code says: https://github.com/google/google-authenticator/wiki/Key-Uri-Format."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=settings.SITE_NAME)


def qr_code(secret: str, user: User) -> SafeString:
    """Return the QR code as an SVG without styles, which the site's CSP would not let in."""
    import segno  # one page has use for it

    svg = segno.make(uri(secret, user), micro=False).svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308  (drawn from modules alone)


def matching_counter(secret: str, code: str) -> int | None:
    """Return the time step whose code is `code`, in any spelling, or None. All steps are compared."""
    code, now, totp = normalize_code(code), int(time()) // STEP, pyotp.TOTP(secret)
    if len(code) != DIGITS or not code.isascii() or not code.isdigit():
        return None
    steps = range(now - DRIFT, now + DRIFT + 1)
    found = [step for step in steps if pyotp.utils.strings_equal(totp.at(step * STEP), code)]
    return found[-1] if found else None


def spend(user: User, code: str) -> bool:
    """Use up a code of the app of `user`; return whether it was right, and neither it nor a later one was used."""
    authenticator = Authenticator.objects.filter(user=user).first()
    secret = decrypt(authenticator.secret) if authenticator else None
    counter = matching_counter(secret, code) if secret else None
    if authenticator is None or counter is None:
        return False
    compared = Authenticator.objects.filter(pk=authenticator.pk, secret=authenticator.secret)  # and not replaced since
    return compared.spend(counter)


def encrypt(secret: str, *, until_confirmed_by: User | None = None) -> str:
    """Return what is stored of `secret`, or what the form carries in which the user confirms it.

    The two have keys of their own: the form shows its secret again, and must not show one that was copied from the
    table.
    """
    return _cipher(until_confirmed_by).encrypt(secret.encode()).decode()


def decrypt(encrypted: str, *, until_confirmed_by: User | None = None) -> str | None:
    """Return the secret, or None if no key of today has encrypted it for this."""
    try:
        return _cipher(until_confirmed_by).decrypt(encrypted.encode()).decode()
    except InvalidToken:
        return None


def rewrite(apps: Iterable[Authenticator]) -> int:
    """Encrypt by SECRET_KEY what a fallback has encrypted; return how many secrets those were."""
    today, done = Fernet(next(_keys())), 0
    for app in apps:
        secret = decrypt(app.secret)
        if secret and not _is_by(today, app.secret):  # and unless another app is set up at this moment
            done += Authenticator.objects.filter(pk=app.pk, secret=app.secret).update(secret=encrypt(secret))
    return done


def _is_by(key: Fernet, stored: str) -> bool:
    try:
        return bool(key.decrypt(stored.encode()))
    except InvalidToken:
        return False


def _cipher(user: User | None = None) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in _keys(f"until confirmed by {user.pk}" if user else "")])


def _keys(purpose: str = "") -> Iterator[bytes]:
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield urlsafe_b64encode(salted_hmac(_SALT, purpose, secret=secret, algorithm="sha256").digest())
