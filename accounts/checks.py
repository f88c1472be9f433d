"""What is fit for one's own machine only."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

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
