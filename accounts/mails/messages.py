"""Render mails when they are sent; some kinds have a function that adds links and tokens to their context."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.account import recovery
from accounts.account.user_agents import describe
from accounts.email.ownership import has_confirmed
from accounts.email.tokens import code, link_token, stamp, undo_token
from accounts.factors import removal
from accounts.mails.links import matches
from accounts.mails.outbox import absolute_url, base_url, masked_email
from accounts.models import EmailVerification, FactorRemoval, OutgoingMail, SecurityEvent, User
from accounts.models.email_verification import CODE_LIFETIME, LINK_LIFETIME, UNDO_LIFETIME
from accounts.models.factors import REMOVAL_DELAY
from accounts.providers import registry
from accounts.security.reset_tokens import reset_tokens
from accounts.security.validators import may_become_link

Context = dict[str, object]
ContextFunction = TypeVar("ContextFunction", bound=Callable[[OutgoingMail], Context | None])

_context_functions: dict[str, Callable[[OutgoingMail], Context | None]] = {}
_BLANK_LINES = re.compile(r"\n{3,}")
# The pages that a mail of any kind may lead to, by what the templates call the link.
_PAGES = {
    "login_link": "login",
    "reset_link": "password_reset",
    "sessions_link": "sessions",
    "activity_link": "activity",
    "checkup_link": "checkup",
}


def mail_context(kind: str) -> Callable[[ContextFunction], ContextFunction]:
    """Register the function that adds to the context of mails of this kind.

    It returns more context for the templates, with links and tokens made at this moment, or None if the mail has become
    pointless.
    """

    def register(function: ContextFunction) -> ContextFunction:
        _context_functions[kind] = function
        return function

    return register


def compose(mail: OutgoingMail) -> EmailMultiAlternatives | None:
    """Return the message in its reader's language and zone, or None if the user is gone or the mail is pointless.

    The first line of mails/<kind>.txt is the subject.
    """
    with translation.override(mail.language):
        context = _template_context(mail)
        if context is None:
            return None
        with timezone.override(mail.user.zone if mail.user else None):
            text, html = (render_to_string(f"mails/{mail.kind}.{form}", context) for form in ("txt", "html"))
    subject, _, body = _BLANK_LINES.sub("\n\n", text.strip()).partition("\n\n")
    message = EmailMultiAlternatives(subject, body, settings.BOUNCE_EMAIL, [mail.to], headers=_headers(mail))
    message.attach_alternative(html, "text/html")
    return message


def _template_context(mail: OutgoingMail) -> Context | None:
    """Return what the templates show, or None if there is nothing to send.

    Anybody can sign up with anybody's email. So a reader who has not confirmed theirs sees nothing that somebody typed:
    no user name, and no browser of which a header alone tells. Nobody sees a name that would become a link.
    """
    if mail.user_id is not None:
        mail.user = User.objects.filter(pk=mail.user_id).first()
        if mail.user is None:
            return None
    user = mail.user
    more = _context_functions[mail.kind](mail) if mail.kind in _context_functions else {}
    if more is None:
        return None
    device = describe(mail.context.get("user_agent", ""))
    owner = user if user and has_confirmed(user, mail.to) else None
    names = [owner.username, *(mail.context.get(key, "") for key in ("before", "after"))] if owner else [""]
    return {
        "site": base_url(),
        "host": urlsplit(base_url()).hostname,
        "user": user,
        "username": "" if any(map(may_become_link, names)) else names[0],
        "at": mail.created_at,
        "device": device if owner else device.unquoted,
        **{link: absolute_url(page) for link, page in _PAGES.items()},
        **mail.context,
        **more,
    }


def _headers(mail: OutgoingMail) -> dict[str, str]:
    """Return headers with the same Message-ID at each attempt, so that a mailbox recognises a duplicate.

    From is given because the message's own sender is that of the envelope, to which servers return what they can't
    deliver. Auto-Submitted keeps programs from replying.
    """
    name = uuid5(NAMESPACE_URL, f"{base_url()}/{mail.pk}/{mail.created_at.isoformat()}")
    return {
        "From": settings.DEFAULT_FROM_EMAIL,
        "Message-ID": f"<{name}@{urlsplit(base_url()).hostname}>",
        "Auto-Submitted": "auto-generated",
    }


@mail_context("password_reset")
def _password_reset(mail: OutgoingMail) -> Context | None:
    """Return the link, even without a user: otherwise the cost would reveal who has an account.

    Return None if the mail's recipient is no longer the account's email.
    """
    user = mail.user or User()
    if mail.user and (not mail.user.can_reset_password or mail.to != mail.user.email):
        return None
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    link = absolute_url("password_reset_confirm", uidb64=uid, token=reset_tokens.make_token(user))
    return {"link": link, "withdrawn": _withdrawn(mail)}


@mail_context("password_changed")
def _password_changed(mail: OutgoingMail) -> Context | None:
    return _alert(mail, withdrawn=_withdrawn(mail))


@mail_context("email_confirm")
def _email_confirm(mail: OutgoingMail) -> Context | None:
    """Return the link and the code, or None if another mail replaced this one or the password or email has changed."""
    verification = EmailVerification.objects.filter(pk=mail.context["verification"]).select_related("user").first()
    if verification is None or not matches(stamp, verification, mail.context["stamp"]):
        return None
    if not EmailVerification.objects.filter(pk=verification.pk).restart():
        return None
    return {
        "link": absolute_url("email_confirm", key=verification.pk, token=link_token(verification)),
        "link_minutes": LINK_LIFETIME // timedelta(minutes=1),
        "code": code(verification),
        "code_minutes": CODE_LIFETIME // timedelta(minutes=1),
    }


@mail_context("email_changed")
def _email_changed(mail: OutgoingMail) -> Context | None:
    """Name the new email, masked, to a reader who had confirmed theirs: see `_template_context`."""
    change = EmailVerification.objects.filter(pk=mail.context["verification"], previous_email_verified=True).first()
    return _alert(mail, new_email=masked_email(change.email) if change else "")


@mail_context("factors_changed")
def _factors_changed(mail: OutgoingMail) -> Context | None:
    change = SecurityEvent.Kind(mail.context["change"]).label
    provider = mail.context.get("provider", "")
    return _alert(mail, change=change, provider=registry.find(provider) or provider)


@mail_context("factor_removal_confirm")
def _factor_removal_confirm(mail: OutgoingMail) -> Context | None:
    """Return the link, or None if it was used, or the email is another one by now."""
    asked = FactorRemoval.objects.filter(pk=mail.context["removal"]).select_related("user").first()
    if asked is None or mail.to != asked.user.email or not FactorRemoval.objects.filter(pk=asked.pk).restart():
        return None
    return {
        "link": absolute_url("factors_remove", key=asked.pk, token=removal.start_token(asked)),
        "link_minutes": LINK_LIFETIME // timedelta(minutes=1),
        "hours": REMOVAL_DELAY // timedelta(hours=1),
    }


@mail_context("factor_removal")
def _factor_removal(mail: OutgoingMail) -> Context | None:
    """Return the link that cancels it, or None if somebody has, or it is done."""
    started = FactorRemoval.objects.started().filter(pk=mail.context["removal"]).first()
    if started is None:
        return None
    return _alert(
        mail,
        due_at=started.due_at,
        by_administrator=started.actor_id is not None,
        password_too=started.only_mail_cancels,
        keep_link=absolute_url("factors_keep_by_link", key=started.pk, token=removal.cancel_token(started)),
    )


@mail_context("deletion_asked")
def _deletion_asked(mail: OutgoingMail) -> Context | None:
    if mail.user is None or mail.user.deletion_due_at is None:  # The deletion was cancelled before the mail was sent.
        return None
    return _alert(mail)


@mail_context("email_reserved")
@mail_context("username_changed")
def _alert(mail: OutgoingMail, **context: object) -> Context | None:
    """Add the undo link to a mail for a previous email of the account, or return None if it is too late to undo."""
    if "verification" not in mail.context:
        return context
    changes = EmailVerification.objects.changes().select_related("user")
    change = changes.filter(pk=mail.context["verification"]).first()
    if change is None or change.confirmed_at is None:
        return None
    undo_link = absolute_url("email_undo", key=change.pk, token=undo_token(change))
    return {**context, "undo_link": undo_link, "until": change.confirmed_at + UNDO_LIFETIME}


def _withdrawn(mail: OutgoingMail) -> list[str]:
    return recovery.sentences(mail.context.get("withdrawn", ()))
