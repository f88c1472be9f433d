"""Name the sentences of Django's that appear in the forms of this site, so that our catalogues translate them too.

Django's own catalogues lack some of them, and address the reader formally in others.
"""

from django.utils.translation import gettext_noop, ngettext_lazy

FORM_STRINGS = (
    gettext_noop("This field is required."),
    gettext_noop("Enter a valid email address."),
    ngettext_lazy(
        "Ensure this value has at most %(limit_value)d character (it has %(show_value)d).",
        "Ensure this value has at most %(limit_value)d characters (it has %(show_value)d).",
        "limit_value",
    ),
)

PASSWORD_STRINGS = (
    gettext_noop("The two password fields didn’t match."),  # noqa: RUF001  (its own sign)
    gettext_noop("This password is too common."),
    gettext_noop("The password is too similar to the %(verbose_name)s."),
    ngettext_lazy(
        "This password is too short. It must contain at least %d character.",
        "This password is too short. It must contain at least %d characters.",
    ),
)
