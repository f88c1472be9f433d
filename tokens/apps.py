import sys

import django
from django.apps import AppConfig, apps
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.signals import setting_changed
from django.db.models.signals import post_save, pre_delete
from django.utils.translation import gettext_lazy as _

# Here, because the other modules would fail with the name of something that is missing. Old Pythons can read this file.
if django.VERSION < (5, 2) or sys.version_info < (3, 11):
    found = f"Django {django.get_version()} and Python {sys.version_info[0]}.{sys.version_info[1]}"
    print(f"The app tokens needs Django 5.2 and Python 3.11, or newer ones; these are {found}.", file=sys.stderr)
    sys.exit(3)  # to gunicorn and uvicorn this means "cannot start"; after any other code gunicorn tries for ever


class TokensConfig(AppConfig):
    name = __name__.rpartition(".")[0]  # "vendor.tokens", if the folder is in the package `vendor`
    label = "tokens"
    verbose_name = _("Sessions")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, password_upgrades, receivers, users

        checks.register()
        # Signing in locks the user and stamps it. Django's receiver fails if the user is deleted at that very moment.
        user_logged_in.disconnect(dispatch_uid="update_last_login")
        user_logged_in.connect(receivers.logged_in, dispatch_uid="tokens")
        # Before those that were connected when they were imported, and keep something of this user in Django's session:
        # that is emptied first if it was another's, where Django does it before the signal.
        user_logged_in.receivers.insert(0, user_logged_in.receivers.pop())
        user_logged_out.connect(receivers.logged_out, dispatch_uid="tokens")
        password_upgrades.watch(get_user_model())
        users.save_atomically(get_user_model())
        user_models = (model for model in apps.get_models() if issubclass(model, get_user_model()))  # proxies, too
        for model in user_models:
            post_save.connect(receivers.user_saved, sender=model, dispatch_uid="tokens")
            pre_delete.connect(receivers.user_deleted, sender=model, dispatch_uid="tokens")
        setting_changed.connect(receivers.setting_changed, dispatch_uid="tokens")
