from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class AccountsConfig(AppConfig):
    name = "accounts"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import checks, metrics, receivers  # noqa: F401  (they connect themselves)
        from accounts.security import audit_log  # noqa: F401  (they connect themselves)


class SojournAdminConfig(admin_apps.AdminConfig):
    """Django's admin behind this site's own log-in page."""

    default = False  # "accounts" in INSTALLED_APPS means the one above
    default_site = "accounts.admin_site.AdminSite"
