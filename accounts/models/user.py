"""A person who has an account."""

from typing import ClassVar
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.validators import UserNameValidator, with_ascii_host


class UserManager(DjangoUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """As `named` looks for it; for whoever is made by a command or in the admin."""
        return with_ascii_host(super().normalize_email(email))

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: object
    ) -> "User":
        """Whoever may run this command vouches for the address."""
        return super().create_superuser(username, email, password, **{"verified_at": timezone.now(), **fields})

    def named(self, name_or_address: str) -> models.QuerySet["User"]:
        """The one person with this user name or e-mail address, upper or lower case alike.

        Names hold no "@" and addresses do, so the text says by itself which of the two it is.
        The database does the folding, with the very expression of the unique indexes.
        """
        field = "email" if "@" in name_or_address else "username"
        return self.alias(folded=Lower(field)).filter(folded=Lower(models.Value(with_ascii_host(name_or_address))))

    def leaving(self) -> models.QuerySet["User"]:
        """Who is to be deleted by now."""
        return self.filter(leaving_at__lte=timezone.now())


class User(AbstractUser):
    # Random: it stands in every token as `sub`, and must not tell how many people there are or who came before whom.
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    username = models.CharField(
        _("user name"),
        max_length=150,
        unique=True,
        validators=[UserNameValidator()],
        help_text=_("Letters, digits and the signs . + - _"),
        error_messages={"unique": _("This user name is taken.")},
    )
    email = models.EmailField(_("e-mail address"))
    verified_at = models.DateTimeField(_("address confirmed"), null=True, blank=True, editable=False)
    leaving_at = models.DateTimeField(_("to be deleted"), null=True, blank=True, editable=False)
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
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_user_email_unique",
                violation_error_message=_("Somebody has an account with this e-mail address."),
            ),
        )
