"""A person who has an account."""

from typing import ClassVar
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.email_verification import EmailVerification
from accounts.security.validators import UsernameValidator, normalize_email_domain


class UserManager(DjangoUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """As `by_login` looks for it; for whoever is made by a command or in the admin."""
        return normalize_email_domain(super().normalize_email(email))

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: object
    ) -> "User":
        """Whoever may run this command vouches for the address."""
        return super().create_superuser(username, email, password, **{"email_verified_at": timezone.now(), **fields})

    def by_login(self, login: str) -> models.QuerySet["User"]:
        """The person with this user name or e-mail address, upper or lower case alike.

        Names hold no "@" and addresses do, so the text says by itself which of the two it is. The database does the
        folding, with the very expression of the indexes. Of several who typed an address, whoever proved it comes
        first, then the oldest account.
        """
        field = "email" if "@" in login else "username"
        found = self.alias(folded=Lower(field)).filter(folded=Lower(models.Value(normalize_email_domain(login))))
        return found.order_by(models.F("email_verified_at").asc(nulls_last=True), "date_joined")

    def due_for_deletion(self) -> models.QuerySet["User"]:
        """Who is to be deleted by now. An account that somebody can still get back by undoing a change waits."""
        undoable = EmailVerification.objects.changes().filter(user=models.OuterRef("pk"))
        return self.filter(~models.Exists(undoable), deletion_due_at__lte=timezone.now())


class User(AbstractUser):
    # Random: it stands in every token as `sub`, and must not tell how many people there are or who came before whom.
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
    deletion_due_at = models.DateTimeField(_("to be deleted"), null=True, blank=True, editable=False)
    # Of the mails: that of the sign-up, and then whatever is chosen. Empty: that of whoever asks.
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
            # An address that nobody has proved stands in no one's way.
            models.UniqueConstraint(
                Lower("email"),
                condition=models.Q(email_verified_at__isnull=False),
                name="accounts_user_email_unique",
                violation_error_message=_("Somebody has an account with this e-mail address."),
            ),
        )
        indexes = (models.Index(Lower("email"), name="accounts_user_email"),)

    @property
    def can_reset_password(self) -> bool:
        """Whether a new password may be chosen by mail: not by who was deactivated, nor who never was to have one."""
        return self.is_active and self.has_usable_password()
