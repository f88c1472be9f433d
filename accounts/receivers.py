"""Side work on what `tokens` and Django tell: the history of an account, and mails."""

from django.contrib.auth.signals import user_login_failed
from django.core.signals import request_started
from django.db import transaction
from django.db.models.signals import post_save, pre_delete
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import deletion, mails, postman, sign_ins
from accounts.models import OutgoingMail, SecurityEvent, User
from tokens.models import RefreshToken
from tokens.signals import probe_answered, probe_sent, reuse_found, session_ended, session_started

Kind = SecurityEvent.Kind


@receiver(session_started)
def record_sign_in(request: HttpRequest | None, row: RefreshToken, **kwargs: object) -> None:
    """In the history, and by mail if the account does not know the browser."""
    if request and row.user and sign_ins.is_new(request, row.user, row) and sign_ins.may_tell(row.user):
        mails.send("new_browser", row.user, request, failures=sign_ins.failures_before(row.user))
    SecurityEvent.objects.record(request, row.user, Kind.SIGNED_IN, session=row.pk)


@receiver(session_ended)
def record_end(request: HttpRequest, row: RefreshToken, **kwargs: object) -> None:
    if row.reason == RefreshToken.Reason.SIGNED_OUT:
        SecurityEvent.objects.record(request, row.user, Kind.SIGNED_OUT, session=row.pk)
    elif row.reason == RefreshToken.Reason.ADMIN:
        SecurityEvent.objects.record(request, row.user, Kind.SESSION_ENDED, session=row.pk, by=request.user)


@receiver(user_login_failed)
def record_failure(credentials: dict[str, object], request: HttpRequest | None = None, **kwargs: object) -> None:
    """One query and one row, whether or not there is such a person: the time tells nothing."""
    user = User.objects.named(str(credentials.get("username", ""))).first()
    SecurityEvent.objects.record(request, user, Kind.SIGN_IN_FAILED)


@receiver(probe_sent)
def record_copy(request: HttpRequest, row: RefreshToken, **kwargs: object) -> None:
    SecurityEvent.objects.record(request, row.user, Kind.COPY_TRIED, session=row.pk)


@receiver(probe_answered)
def withdraw_copy(sid: str, **kwargs: object) -> None:
    SecurityEvent.objects.filter(session=sid).withdraw()


@receiver(reuse_found)
def tell_of_reuse(request: HttpRequest | None, row: RefreshToken, **kwargs: object) -> None:
    SecurityEvent.objects.record(request, row.user, Kind.REUSE_FOUND, session=row.pk)
    if row.user:
        mails.send("reuse_found", row.user, request)


@receiver(post_save, sender=OutgoingMail)
def wake_the_postman(created: bool, **kwargs: object) -> None:
    if created:
        transaction.on_commit(lambda: postman.wake(), robust=True)


@receiver(request_started)
def have_a_postman(**kwargs: object) -> None:
    """Whatever the server: a process that answers requests also looks for mails that others left."""
    postman.start()


@receiver(pre_delete, sender=User)
def forget(instance: User, **kwargs: object) -> None:
    deletion.anonymise(instance)
