from django.apps import AppConfig, apps
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.signals import setting_changed
from django.db.models.signals import post_save, pre_delete
from django.utils.translation import gettext_lazy as _


class TokensConfig(AppConfig):
    name = "tokens"
    verbose_name = _("Sessions")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, password_upgrades, receivers, users

        checks.register()
        # Signing in locks the user and stamps it. Django's receiver fails if the user is deleted at that very moment.
        user_logged_in.disconnect(dispatch_uid="update_last_login")
        user_logged_in.connect(receivers.logged_in, dispatch_uid="tokens")
        user_logged_out.connect(receivers.logged_out, dispatch_uid="tokens")
        password_upgrades.watch(get_user_model())
        users.save_atomically(get_user_model())
        user_models = (model for model in apps.get_models() if issubclass(model, get_user_model()))  # proxies, too
        for model in user_models:
            post_save.connect(receivers.user_saved, sender=model, dispatch_uid="tokens")
            pre_delete.connect(receivers.user_deleted, sender=model, dispatch_uid="tokens")
        setting_changed.connect(receivers.setting_changed, dispatch_uid="tokens")
