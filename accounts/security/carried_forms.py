"""Carry a form through the sign-in, if its user's session had ended when they sent it, or to a provider and back.

A form that was opened before a sign-in in another tab is offered again, as its CSRF token is no longer good.

A hidden field of the page that asks holds it. It is encrypted because somebody else may be sitting there by then, and
because only what was made here is ever sent on: a form of this site, which had passed the CSRF check, to its own URL.
"""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.types import Request

FIELD = "carried_form"
REAUTHENTICATION = "proof"  # prefix of the fields of the form that interrupts others
LIFETIME = 60 * 60  # seconds, in which whoever was called away should be back
LONGEST = 64 * 1024  # bytes; the page that carries it should stay light
_SALT = "accounts.security.carried_forms"


@dataclass(frozen=True, slots=True)
class CarriedForm:
    """Represent a form that waits to be sent: where to, and the names and values of its fields."""

    url: str
    fields: list[tuple[str, str]]


def carry(request: Request) -> str:
    """Return the form that `request` sends, encrypted, or "" if it sends none that can be carried.

    The tokens that came along say whose it is, even if they have expired. A visitor without any cannot be recognised
    after the sign-in. Files are not carried, as they would have to be stored, and neither are passwords.
    """
    form = _submitted(request)
    if form is None or not form.fields:
        return ""
    subjects = {claims.sub for claims in request.tokens.presented_claims()}
    if len(subjects) != 1:
        return ""
    return _cipher().encrypt(json.dumps([subjects.pop(), form.url, form.fields]).encode()).decode()


def unsent(request: HttpRequest) -> CarriedForm | None:
    """Return the form that `request` sends with a CSRF token from before a sign-in, to offer it again; or None.

    The browser has to say that a page of this site sent it, by a header that no page can set (Fetch Metadata), or
    another site could fill it in. Nothing is offered that has passwords, which would be missing.
    """
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        return None
    return None if any(map(_is_password, original_form(request))) else _submitted(request)


def original_form(request: HttpRequest) -> QueryDict:
    """Return the submitted form, without the fields of the reauthentication and the CSRF token."""
    sent = request.POST.copy()
    for name in [name for name in sent if name.startswith(f"{REAUTHENTICATION}-") or name == "csrfmiddlewaretoken"]:
        del sent[name]
    sent._mutable = False
    return sent


def fields_to_carry(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the names and values of the submitted form, without its passwords."""
    fields = original_form(request).lists()
    return [(name, value) for name, values in fields if not _is_password(name) for value in values]


def checked(value: str) -> str:
    """Return `value` if `carry` has encrypted it, else ""."""
    return value if _decrypted(value) else ""


def restore(value: str, user: User) -> CarriedForm | None:
    """Return the form that `carry` has encrypted, or None if it is not the form of `user`, or too old."""
    text = _decrypted(value)
    if text is None:
        return None
    subject, url, fields = json.loads(text)
    return CarriedForm(url, fields) if subject == str(user.pk) else None


def resume(request: Request, value: str, back: str, *, confirmed: bool = False) -> HttpResponse | None:
    """Return a page on which the user, who has just signed in, can send their form; or None, with a message.

    Or they have `confirmed` who they are. `back` is where they go if they would rather not. Who has requested deletion
    has to decide about that first.
    """
    form = None if getattr(request.user, "deletion_due_at", None) else restore(value, request.user)
    if form is not None:
        return render(request, "accounts/carried_form.html", {"carried": form, "back": back, "confirmed": confirmed})
    drop(request)
    return None


def drop(request: HttpRequest) -> None:
    """Tell whoever has signed in that the form which was carried along goes no further."""
    text = _("The form from before you signed in wasn't sent. If it was yours, please fill it in again.")
    messages.warning(request, text)


def _submitted(request: HttpRequest) -> CarriedForm | None:
    """Return the form that `request` sends, without its passwords, or None if it sends none that can be carried."""
    urlencoded = request.content_type == "application/x-www-form-urlencoded"
    if request.method != "POST" or not urlencoded or len(request.body) > LONGEST:
        return None
    return CarriedForm(escape_leading_slashes(request.get_full_path()), fields_to_carry(request))


def _is_password(name: str) -> bool:
    return "password" in name.lower()


def _decrypted(value: str) -> bytes | None:
    try:
        return _cipher().decrypt(value.encode(), ttl=LIFETIME)
    except InvalidToken:
        return None


def _cipher() -> MultiFernet:
    """Return what encrypts under the secret key, and decrypts under the fallback keys as well."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    keys = (salted_hmac(_SALT, "cipher", secret=secret, algorithm="sha256").digest() for secret in secrets)
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
