"""What a mail says beyond its facts: for some kinds a function that makes it, when the mail is sent."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.address_tokens import code, fits, link_token, stamp, undo_token
from accounts.devices import describe
from accounts.mails import link, site
from accounts.models import AddressProof, OutgoingMail, User
from accounts.models.address import CODE_LIFETIME, LINK_LIFETIME, UNDO_LIFETIME

Context = dict[str, object]
Letter = Callable[[OutgoingMail], Context | None]

_letters: dict[str, Letter] = {}
_BLANK_LINES = re.compile(r"\n{3,}")


def letter(kind: str) -> Callable[[Letter], Letter]:
    """Register the function that knows what mails of this kind say beyond their facts.

    It returns more context for the templates, with links and tokens made at this moment, or None if there is nothing
    to send any more.
    """

    def register(function: Letter) -> Letter:
        _letters[kind] = function
        return function

    return register


def compose(mail: OutgoingMail) -> EmailMultiAlternatives | None:
    """The message to send, in the language of its reader; None if its person is gone or it has no point any more.

    The first line of mails/<kind>.txt is the subject.
    """
    with translation.override(mail.language):
        context = _context(mail)
        if context is None:
            return None
        text, html = (render_to_string(f"mails/{mail.kind}.{form}", context) for form in ("txt", "html"))
    subject, _, body = _BLANK_LINES.sub("\n\n", text.strip()).partition("\n\n")
    message = EmailMultiAlternatives(subject, body, to=[mail.to], headers=_headers(mail))
    message.attach_alternative(html, "text/html")
    return message


def _context(mail: OutgoingMail) -> Context | None:
    try:
        user = mail.user
    except User.DoesNotExist:
        return None
    more = _letters[mail.kind](mail) if mail.kind in _letters else {}
    if more is None:
        return None
    return {
        "site": site(),
        "host": urlsplit(site()).hostname,
        "user": user,
        "at": timezone.localtime(mail.made_at),
        "device": describe(mail.facts.get("user_agent", "")),
        **mail.facts,
        **more,
    }


def _headers(mail: OutgoingMail) -> dict[str, str]:
    """One Message-ID however often it is sent: a mailbox that gets it twice can tell. No program need answer it."""
    name = uuid5(NAMESPACE_URL, f"{site()}/{mail.pk}/{mail.made_at.isoformat()}")
    return {"Message-ID": f"<{name}@{urlsplit(site()).hostname}>", "Auto-Submitted": "auto-generated"}


@letter("account_exists")
def _account_exists(mail: OutgoingMail) -> Context:
    return {"login_link": link("login"), "reset_link": link("password_reset")}


@letter("name_taken")
def _name_taken(mail: OutgoingMail) -> Context:
    return {"link": link("signup")}


@letter("password_reset")
def _password_reset(mail: OutgoingMail) -> Context | None:
    """Made for nobody as well: what it costs to make one then tells nobody who has an account. Never for an address
    that is the account's no more."""
    user = mail.user or User()
    if mail.user and (not may_reset(mail.user) or mail.to != mail.user.email):
        return None
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    return {"link": link("password_reset_confirm", uidb64=uid, token=token)}


@letter("password_changed")
def _password_changed(mail: OutgoingMail) -> Context:
    return {"reset_link": link("password_reset")}


@letter("address_confirm")
def _address_confirm(mail: OutgoingMail) -> Context | None:
    """Nothing if it was asked for anew, or if the account has another password or address by now."""
    proof = AddressProof.objects.filter(pk=mail.facts["proof"]).select_related("user").first()
    if proof is None or not fits(stamp, proof, mail.facts["stamp"]):
        return None
    if not AddressProof.objects.filter(pk=proof.pk).restart():
        return None
    return {
        "link": link("email_confirm", key=proof.pk, token=link_token(proof)),
        "link_minutes": LINK_LIFETIME // timedelta(minutes=1),
        "code": code(proof),
        "code_minutes": CODE_LIFETIME // timedelta(minutes=1),
    }


@letter("address_taken")
def _address_taken(mail: OutgoingMail) -> Context:
    return {"login_link": link("login"), "reset_link": link("password_reset")}


@letter("address_changed")
def _address_changed(mail: OutgoingMail) -> Context | None:
    proof = AddressProof.objects.changes().filter(pk=mail.facts["proof"]).first()
    if proof is None or proof.confirmed_at is None:
        return None
    url = link("email_undo", key=proof.pk, token=undo_token(proof))
    return {"undo_link": url, "until": timezone.localtime(proof.confirmed_at + UNDO_LIFETIME)}


@letter("reuse_found")
def _reuse_found(mail: OutgoingMail) -> Context:
    return {
        "password_link": link("password_change"),
        "reset_link": link("password_reset"),
        "activity_link": link("activity"),
    }


@letter("new_browser")
def _new_browser(mail: OutgoingMail) -> Context:
    return {"sessions_link": link("sessions"), "reset_link": link("password_reset")}


@letter("username_changed")
def _username_changed(mail: OutgoingMail) -> Context:
    return {"reset_link": link("password_reset")}


@letter("deletion_asked")
def _deletion_asked(mail: OutgoingMail) -> Context | None:
    if mail.user is None or mail.user.leaving_at is None:  # kept, before it could be told
        return None
    return {"keep_link": link("login"), "reset_link": link("password_reset")}


def may_reset(user: User) -> bool:
    """Whether `user` may choose a new password by mail: not who was deactivated, nor who never was to have one."""
    return user.is_active and user.has_usable_password()
