"""Look up roughly where an IP address is, if the site has a file for it: GEOIP_PATH, in MaxMind's format.

Nothing is queried over the network. Only a site with such a file needs the package that reads it.
"""

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.utils.translation import get_language

if TYPE_CHECKING:
    from maxminddb import Reader

Part = dict[str, dict[str, str]]  # A part of a place, such as its city: under "names" its names by language.

logger = logging.getLogger("accounts")

_LANGUAGES = {"zh-hans": "zh-CN"}  # Django's language codes, where the files use others


def location(ip_address: str | None) -> str:
    """Return city and country in the language of the page, such as "Linköping, Sweden", or "" if unknown."""
    found = _lookup(ip_address) if settings.GEOIP_PATH and ip_address else None
    parts = [_name(found[part]) for part in ("city", "country") if part in found] if found else []
    return ", ".join(filter(None, parts))


def open_error(path: str) -> str:
    """Return why the file cannot be read, or ""."""
    try:
        _open(path)
    except (ImportError, OSError, RuntimeError) as error:  # The reader's own exceptions are RuntimeErrors.
        return str(error)
    return ""


def _lookup(ip_address: str) -> dict[str, Part] | None:
    reader = _reader(settings.GEOIP_PATH)
    try:
        return cast("dict[str, Part] | None", reader and reader.get(ip_address))
    except (ValueError, RuntimeError):  # The file has only IPv4 and this is IPv6, or the file is damaged.
        return None


@lru_cache(maxsize=1)
def _reader(path: str) -> "Reader | None":
    """Return one reader for the whole process, or None if the file cannot be read; that is logged once."""
    try:
        return _open(path)
    except (ImportError, OSError, RuntimeError):
        logger.exception("GEOIP_PATH cannot be read, so no locations are shown.")
        return None


def _open(path: str) -> "Reader":
    import maxminddb

    return maxminddb.open_database(path)


def _name(part: Part) -> str:
    names = part.get("names", {})
    language = get_language() or "en"
    return names.get(_LANGUAGES.get(language, language)) or names.get("en", "")
