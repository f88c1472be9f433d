"""The catalogues: what the site says in another language, in `locale/<language>/LC_MESSAGES/django.po`, and what the
app `tokens` says, which it takes along into other projects, in `tokens/locale`.

Django reads the .mo beside it, which is committed as well: so nobody needs a compiler to run the site.
"""

from pathlib import Path

import django
import polib
from django.conf import settings
from django.utils.translation import to_locale

from tests.languages.source import ROOT, Text

FOLDERS = (".", "tokens")
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def path(folder: str, language: str) -> Path:
    return ROOT / folder / "locale" / to_locale(language) / "LC_MESSAGES" / "django.po"


def load(folder: str, language: str) -> polib.POFile:
    """The catalogue of `language` in `folder`; an empty one, if there is none yet."""
    if path(folder, language).exists():
        return polib.pofile(str(path(folder, language)), wrapwidth=110)
    catalogue = polib.POFile(wrapwidth=110)
    of_django = Path(django.__file__).parent / "conf/locale" / to_locale(language) / "LC_MESSAGES/django.po"
    catalogue.metadata = {
        "Language": to_locale(language),
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": polib.pofile(str(of_django)).metadata["Plural-Forms"],
    }
    return catalogue


def renew(catalogue: polib.POFile, said: dict[Text, list[str]]) -> None:
    """Bring the catalogue up to what the source says: what is new is empty, what is gone goes."""
    known = {text_of(entry): entry for entry in catalogue if not entry.obsolete}
    catalogue.clear()
    for text, places in said.items():
        entry = known.get(text) or empty(text, forms(catalogue))
        entry.occurrences = [(place, "") for place in places]
        entry.flags = [flag for flag in entry.flags if flag == "fuzzy"]
        catalogue.append(entry)


def empty(text: Text, forms: int) -> polib.POEntry:
    entry = polib.POEntry(msgid=text.msgid, msgctxt=text.context or None)
    if text.plural:
        entry.msgid_plural = text.plural
        entry.msgstr_plural = dict.fromkeys(range(forms), "")
    return entry


def text_of(entry: polib.POEntry) -> Text:
    return Text(entry.msgid, entry.msgid_plural or "", entry.msgctxt or "")


def forms(catalogue: polib.POFile) -> int:
    """How many plural forms the language has."""
    return int(catalogue.metadata["Plural-Forms"].partition("nplurals=")[2].partition(";")[0])


def translations(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
