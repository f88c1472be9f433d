"""What is fit for one's own machine only, and what is named but cannot be used."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from accounts import places

UNFIT = {
    "LocMemCache": "is one for each process",
    "DummyCache": "keeps nothing",
    "FileBasedCache": "loses count of what comes at the same moment",
    "DatabaseCache": "loses count of what comes at the same moment",
}


@register(Tags.security, deploy=True)
def check_cache(**_: Any) -> list[CheckMessage]:
    """W001: several processes count together whatever is tried too often (gates.py)."""
    kind = settings.CACHES["default"]["BACKEND"].rpartition(".")[2]
    if kind not in UNFIT:
        return []
    sentence = f"The cache {UNFIT[kind]}, and attempts to sign in are counted there: name a Redis in CACHE_URL."
    return [Warning(sentence, hint="With a single process an in-memory cache will do.", id="accounts.W001")]


@register()
def check_places(**_: Any) -> list[CheckMessage]:
    """E001: a file that is named can be read (places.py)."""
    trouble = places.trouble(settings.GEOIP_PATH) if settings.GEOIP_PATH else ""
    if not trouble:
        return []
    hint = "It takes a file in MaxMind's format, and the package maxminddb (docs/dependencies.md)."
    return [Error(f"GEOIP_PATH cannot be read: {trouble}", hint=hint, id="accounts.E001")]
