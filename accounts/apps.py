from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import receivers  # noqa: F401  (connects itself)


class SojournAdminConfig(AdminConfig):
    """Django's admin behind this site's own log-in page."""

    default_site = "accounts.site.AdminSite"
