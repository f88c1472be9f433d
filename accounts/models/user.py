"""Store the people who have an account."""

import logging
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.email_verification import EmailVerification
from accounts.security.validators import UsernameValidator, normalize_email_domain

logger = logging.getLogger("accounts")
MALFORMED = (ValueError, TypeError, AssertionError, LookupError)  # what Django's hashers raise


class UserManager(DjangoUserManager["User"]):
    """Create users and find them by what they type when they sign in."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return `email` as `by_login` looks it up, for users created by a command or in the admin."""
        return normalize_email_domain(super().normalize_email(email))

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: object
    ) -> "User":
        """Create a superuser whose email counts as confirmed: the operator who runs the command vouches for it."""
        return super().create_superuser(username, email, password, **{"email_verified_at": timezone.now(), **fields})

    def by_login(self, login: str) -> models.QuerySet["User"]:
        """Return the users with this user name or email, ignoring case, the one to sign in first.

        User names contain no "@" and emails do, so the text itself tells which of the two it is. The database folds the
        case, with the same expression as the indexes. Of several users with the same email, the one who has confirmed
        it comes first, then the oldest account.
        """
        field = "email" if "@" in login else "username"
        found = self.alias(folded=Lower(field)).filter(folded=Lower(models.Value(normalize_email_domain(login))))
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
        validators=[UsernameValidator()],
        help_text=_("Letters, digits and the signs . + - _"),
        error_messages={"unique": _("This user name is taken.")},
    )
    email = models.EmailField(_("e-mail address"))
    email_verified_at = models.DateTimeField(_("address confirmed"), null=True, blank=True, editable=False)
    # What stands for the password in links, codes and marks: unlike its hash, it stays when the same password is hashed
    # anew.
    password_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    deletion_due_at = models.DateTimeField(_("to be deleted"), null=True, blank=True, editable=False)
    # The language of mails: first that of the sign-up, then the user's choice. If empty, that of the request.
    language = models.CharField(_("language"), max_length=10, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):  # type: ignore[name-defined, misc]
        permissions = (
            ("deactivate_user", "Can close and open accounts"),
            ("reset_user", "Can send links to a new password"),
            ("export_user", "Can download the data of people"),
        )
        constraints = (
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_unique",
                violation_error_message=_("This user name is taken."),
            ),
            # An email that nobody has confirmed blocks no other account.
            models.UniqueConstraint(
                Lower("email"),
                condition=models.Q(email_verified_at__isnull=False),
                name="accounts_user_email_unique",
                violation_error_message=_("Somebody has an account with this e-mail address."),
            ),
        )
        indexes = (models.Index(Lower("email"), name="accounts_user_email"),)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Whoever saves the password alone saves with it when it was changed."""
        fields = kwargs.get("update_fields")
        if fields is not None and "password" in fields:
            kwargs["update_fields"] = {*fields, "password_changed_at"}
        super().save(*args, **kwargs)

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.password_changed_at = timezone.now()

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self.password_changed_at = timezone.now()

    def copy_password(self, other: "User") -> None:
        """Take the password that `other` was given: hashing it takes too long to hold a lock meanwhile."""
        self.password, self.password_changed_at = other.password, other.password_changed_at

    def check_password(self, raw_password: str) -> bool:
        """Return whether this is the password. A hash that is out of date is upgraded, which changes no password.

        No password fits a malformed hash, such as one that was cut short by an import: an error would reveal that the
        account exists.
        """

        def upgrade(raw_password: str) -> None:
            self.password = make_password(raw_password)
            self.save(update_fields=["password"])

        try:
            return check_password(raw_password, self.password, upgrade)
        except MALFORMED:
            make_password(raw_password)  # The response takes as long as that to a wrong password.
            _log_malformed(self.pk)
            return False

    @property
    def password_version(self) -> str:
        """A text that is another one after each change of the password."""
        return str(self.password_changed_at.timestamp())

    @property
    def can_reset_password(self) -> bool:
        """Return whether the user may choose a new password by mail.

        Deactivated users may not, nor may those who were never meant to have a password.
        """
        return self.is_active and self.has_usable_password()


@lru_cache(maxsize=10_000)
def _log_malformed(key: UUID) -> None:
    """Tell the operator, once in each process for each user."""
    logger.error("A stored hash is malformed, so nobody can sign in by it.", extra={"user_id": str(key)})
