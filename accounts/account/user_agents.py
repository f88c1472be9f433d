"""Describe in words the browser and the system that a User-Agent header names."""

import re
from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _

from accounts.security.validators import may_become_link

# The names that the makers use; Mac OS X has been called macOS since 2016.
_BROWSERS = {"HeadlessChrome": "Chrome"}
_SYSTEMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
_WELL_KNOWN = frozenset({"Chrome", "Edge", "Firefox", "Opera", "Safari", "Samsung Internet"})
_DESKTOPS = frozenset({"Windows", "Mac OS X", "Chrome OS", "Linux", "Ubuntu", "Debian", "Fedora", "FreeBSD"})
# What a program calls itself, up to its first version or comment (RFC 9110 §10.1.5); some write spaces in it.
_PROGRAM = re.compile(r"([^\W\d_][^/()<>;,]*?)(?: [\d.]+)? *[/(]")
# The parts are quoted from the header, which clients choose freely: they are cut, and none becomes a link in a mail.
_MAX_LENGTH = 40  # characters


@dataclass(frozen=True, slots=True)
class Device:
    """Hold what the header names; `str()` describes it to users."""

    browser: str  # "Firefox 128", or "" if unknown
    system: str  # "Linux", "iPhone", or "" if unknown
    kind: str  # desktop, phone, tablet or other: the name of an icon

    def __str__(self) -> str:
        if self.browser and self.system:
            return _("%(browser)s on %(system)s") % {
                "browser": self.browser,
                "system": self.system,
            }
        return self.browser or (
            _("Browser on %(system)s") % {"system": self.system} if self.system else _("Unknown browser")
        )

    @property
    def unquoted(self) -> "Device":
        """Return this device by well-known names alone: any other may be a stranger's message."""
        browser = self.browser if self.browser.rstrip(" 0123456789") in _WELL_KNOWN else ""
        return Device(browser, "" if self.kind == "other" else self.system, self.kind)


@lru_cache(maxsize=2048)
def describe(user_agent: str) -> Device:
    """Return which browser on which system sent this header."""
    from ua_parser import parse  # its patterns take 4 MB, and few pages describe a browser

    found = parse(user_agent)
    browser = found.user_agent
    program = _quoted(_program(user_agent, browser.family if browser else ""))
    family = found.os.family if found.os else ""
    model = found.device.family if found.device else ""
    return Device(
        browser=program or (_browser(browser.family, browser.major) if browser else ""),
        system=_quoted(model if family == "iOS" and model else _SYSTEMS.get(family, family)),
        kind=_kind(family, model, "Mobile" in user_agent),
    )


def _program(user_agent: str, family: str) -> str:
    """Return the name that a program's header begins with, or "" if that is the `family` that was recognised anyway.

    Where a name is unknown, the parser looks for one with "bot" in it, as in a URL. Browsers all begin with Mozilla.
    """
    found = _PROGRAM.match(user_agent)
    known = family and user_agent.casefold().startswith(family.casefold())
    return "" if known or found is None or found[1] in ("Mozilla", "Opera") else found[1]


def _browser(family: str, major: str | None) -> str:
    name = family.removeprefix("Mobile ").removesuffix(" Mobile")
    return _quoted(" ".join(filter(None, (_BROWSERS.get(name, name), major))))


def _quoted(name: str) -> str:
    return "" if may_become_link(name) else name[:_MAX_LENGTH]


def _kind(system: str, model: str, mobile: bool) -> str:
    if system in _DESKTOPS:
        return "desktop"
    if model == "iPad" or (system == "Android" and not mobile):
        return "tablet"
    return "phone" if system in {"iOS", "Android"} else "other"
