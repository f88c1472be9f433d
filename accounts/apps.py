"""Configure this app, and Django's admin as this site uses it."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Connect the checks and the receivers of signals once the models are loaded."""

    name = "accounts"
    verbose_name = _("Accounts")
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what connects to signals and registers checks."""
        from accounts import checks, metrics, receivers  # noqa: F401  (connected on import)
        from accounts.security import audit_log  # noqa: F401  (connected on import)


class SojournAdminConfig(admin_apps.AdminConfig):
    """Replace Django's admin site by the one of accounts/admin_site.py."""

    default = False  # "accounts" in INSTALLED_APPS refers to the class above.
    default_site = "accounts.admin_site.AdminSite"
