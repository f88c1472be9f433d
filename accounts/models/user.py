"""Store the people who have an account."""

import logging
import re
from collections.abc import Callable, Collection, Iterable
from datetime import tzinfo
from functools import lru_cache, partial
from typing import Any, ClassVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models, router
from django.db.models import Case, Expression, When
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.models.email_verification import EmailVerification
from accounts.models.fields import EmailField, UsernameKeyField
from accounts.security.normalization import normalize_login, normalize_password, username_key
from accounts.security.validators import ScriptValidator, UsernameValidator
from tokens import users
from tokens.conf import conf
from tokens.models.prepared import Parameter, Prepared

logger = logging.getLogger("accounts")
UNCHOSEN = "!unchosen"  # begins the hash of users who may choose a password; for Django it is an unusable one
MALFORMED = (ValueError, TypeError, AssertionError, LookupError)  # what Django's hashers raise


class UserQuerySet(models.QuerySet["User"]):
    """Keep the key of a user name with the name."""

    def update(self, **values: Any) -> int:
        if "username" in values and "username_key" not in values:
            values["username_key"] = username_key(values["username"])
        return super().update(**values)

    def bulk_update(self, objs: Iterable["User"], fields: Iterable[str], batch_size: int | None = None) -> int:
        objs, fields = list(objs), set(fields)
        if "username" in fields:
            fields.add("username_key")
            for user in objs:
                user.username_key = username_key(user.username)
        return super().bulk_update(objs, fields, batch_size)


class UserManager(DjangoUserManager["User"]):
    """Create users and find them by what they type when they sign in."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db or router.db_for_write(self.model))

    def _create_user_object(self, username: str, email: str | None, password: str | None, **fields: object) -> "User":
        """Hash the password in the form in which `User.set_password` does."""
        password = password and normalize_password(password)
        user: User = super()._create_user_object(username, email, password, **fields)  # type: ignore[misc]
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user with this name in any spelling, for commands."""
        return self.get(username_key=username_key(username or ""))

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: object
    ) -> "User":
        """Create a superuser whose email counts as confirmed: the operator who runs the command vouches for it."""
        return super().create_superuser(username, email, password, **{"email_verified_at": timezone.now(), **fields})

    def by_login(self, login: str) -> models.QuerySet["User"]:
        """Return the users with this user name or email in any spelling, the one to sign in first.

        User names contain no "@" and emails do, so the text itself tells which of the two it is. The case of emails is
        folded by the database; those that mail can be sent to are ASCII, which every database folds
        alike. Of several users with the same email, the one who has confirmed it comes first, then the oldest account.
        """
        login = normalize_login(login)
        return self._by_login(models.Value(login), is_email="@" in login)

    def first_by_login(self, login: str) -> "User | None":
        """Return the first of `by_login`, or None, by a statement that is built once, as each sign-in runs it."""
        login = normalize_login(login)
        user: User | None = self._first_by_login["@" in login].first(router.db_for_write(self.model), login=login)
        return user

    @cached_property
    def _first_by_login(self) -> dict[bool, Prepared]:
        def build(is_email: bool) -> models.QuerySet["User", Any]:
            login = Parameter("login", models.CharField())
            return self._by_login(login, is_email=is_email).values_list(*users.columns(self.model))[:1]

        return {is_email: Prepared(partial(build, is_email)) for is_email in (True, False)}

    def _by_login(self, login: Expression, *, is_email: bool) -> models.QuerySet["User"]:
        found = self.filter(folded_email=Lower(login)) if is_email else self.filter(username_key=login)
        return found.order_by(models.F("email_verified_at").asc(nulls_last=True), "date_joined")

    def due_for_deletion(self) -> models.QuerySet["User"]:
        """Return the users whose grace period is over, unless a change of their email can still be undone."""
        undoable = EmailVerification.objects.changes().filter(user=models.OuterRef("pk"))
        return self.filter(~models.Exists(undoable), deletion_due_at__lte=timezone.now())


class User(AbstractUser):
    """Represent a person who has an account, who signs in by user name or email."""

    # Random, because every token shows it as `sub`: it must not reveal how many users there are or who joined first.
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    username = models.CharField(
        _("user name"),
        max_length=150,
        unique=True,
        validators=[UsernameValidator(), ScriptValidator()],
        help_text=_("Letters, digits and . + - _"),
        error_messages={"unique": _("This user name is taken.")},
    )
    # At most twice as long as the name: “ß” becomes “ss”.
    username_key = UsernameKeyField(max_length=300, editable=False)
    email = EmailField(_("email address"))
    email_verified_at = models.DateTimeField(_("email confirmed"), null=True, blank=True, editable=False)
    # The database keeps both, since an index cannot be on an expression, or on some rows only, in each: in MariaDB.
    folded_email = models.GeneratedField(
        expression=Lower("email"), output_field=models.EmailField(), db_persist=True, db_index=True
    )
    # An email that nobody has confirmed blocks no other account.
    confirmed_email = models.GeneratedField(
        expression=Case(When(email_verified_at__isnull=False, then=Lower("email"))),
        output_field=models.EmailField(null=True),
        db_persist=True,
    )
    # What stands for the password in links, codes and marks: unlike its hash, it stays when the same password is hashed
    # anew.
    password_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    # Whether to ask about a copy of a session that was used (accounts/account/checkup.py).
    reuse_unanswered = models.BooleanField(default=False, editable=False)
    # Whether the second factors will soon be removed (accounts/factors/removal.py), for the banner.
    factors_leaving = models.BooleanField(default=False, db_default=False, editable=False)
    deletion_due_at = models.DateTimeField(_("deletion due"), null=True, blank=True, editable=False)
    # The language of mails: first that of the sign-up, then the user's choice. If empty, that of the request.
    language = models.CharField(_("language"), max_length=10, blank=True, editable=False)
    # Of pages that no script puts into the reader's zone, and of mails. If empty, TIME_ZONE.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):  # type: ignore[name-defined, misc]
        permissions = (
            ("deactivate_user", "Can close and open accounts"),
            ("reset_user", "Can send links to a new password"),
            ("export_user", "Can download the data of people"),
            ("remove_factors_user", "Can start the removal of second factors"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("username_key",),
                name="accounts_user_username_unique",
                violation_error_message=_("This user name is taken."),
            ),
            models.UniqueConstraint(
                fields=("confirmed_email",),
                name="accounts_user_email_unique",
                violation_error_message=_("Another account already uses this email address."),
            ),
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save with a new password what it changes, and with a user name its key, if they are saved alone."""
        from tokens.password_upgrades import upgraded_from  # which needs this model

        fields = kwargs.get("update_fields")
        if fields is not None:
            with_them: dict[str, tuple[str, ...]] = {"username": ("username_key",)}
            if not upgraded_from(self):
                with_them["password"] = ("password_changed_at", "reuse_unanswered")
            kwargs["update_fields"] = {*fields, *(more for name in fields for more in with_them.get(name, ()))}
        super().save(*args, **kwargs)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Skip a user name that is not changed: it may be older than the rules for user names."""
        same = not self._state.adding and User.objects.filter(pk=self.pk, username=self.username).exists()
        super().clean_fields({*(exclude or ()), "username"} if same else exclude)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the key, which no form has, wherever the user name is checked."""
        excluded = set(exclude or ())
        if "username" not in excluded:
            self.username_key = username_key(self.username)
            excluded.discard("username_key")
        super().validate_constraints(excluded)

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password and normalize_password(raw_password))
        self.password_changed_at, self.reuse_unanswered = timezone.now(), False

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self.password_changed_at, self.reuse_unanswered = timezone.now(), False

    def leave_password_unchosen(self) -> None:
        """Have no password, but let it be chosen by mail."""
        self.set_unusable_password()
        self.password = f"{UNCHOSEN}{self.password}"

    def copy_password(self, other: "User") -> None:
        """Take the password that `other` was given: hashing it takes too long to hold a lock meanwhile."""
        self.password, self.password_changed_at = other.password, other.password_changed_at
        self.reuse_unanswered = False

    def check_password(self, raw_password: str) -> bool:
        """Return whether this is the password. A hash that is out of date is upgraded, which changes no password.

        It is tried in NFC, as it is set here; what was imported may have been hashed as it was typed. The second hash
        is made only if that differs, and for users without a password just so, so its time reveals nothing. No password
        fits a malformed hash, such as one that was cut short by an import: an error would reveal that the account
        exists.
        """

        def upgrade(raw_password: str) -> None:
            self.password = make_password(raw_password)
            self.save(update_fields=["password"])

        forms = dict.fromkeys((normalize_password(raw_password), raw_password))
        return any(self._fits(form, upgrade) for form in forms)

    async def acheck_password(self, raw_password: str) -> bool:
        return await sync_to_async(self.check_password)(raw_password)

    def _fits(self, raw_password: str, upgrade: Callable[[str], None]) -> bool:
        try:
            return check_password(raw_password, self.password, upgrade)
        except MALFORMED:
            make_password(raw_password)  # The response takes as long as that to a wrong password.
            _log_malformed(self.pk)
            return False

    @property
    def display_name(self) -> str:
        """Return the name for the header of every page, at no query: the first name only if tokens carry it."""
        return ("first_name" in conf.user_claims and self.first_name) or self.username

    @property
    def initials(self) -> str:
        """Return the first letters of the first two words of `display_name`."""
        words = re.findall(r"[^\W_]+", self.display_name)
        return "".join(word[0] for word in words[:2]).upper()

    @property
    def password_version(self) -> str:
        """Return a text that is another one after each change of the password."""
        return str(self.password_changed_at.timestamp())

    @property
    def zone(self) -> tzinfo:
        """Return the time zone that the user chose, or the site's; that also if this machine doesn't know the name."""
        try:
            return ZoneInfo(self.time_zone)
        except (LookupError, ValueError, OSError):
            return timezone.get_default_timezone()

    @property
    def can_reset_password(self) -> bool:
        """Return whether the user may choose a new password by mail.

        Deactivated users may not, nor may those who were never meant to have a password.
        """
        return self.is_active and (self.has_usable_password() or self.password.startswith(UNCHOSEN))


@lru_cache(maxsize=10_000)
def _log_malformed(key: UUID) -> None:
    """Tell the operator, once in each process for each user."""
    logger.error("A stored hash is malformed, so nobody can sign in by it.", extra={"user_id": str(key)})
