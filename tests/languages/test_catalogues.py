"""The catalogues say all that the source says, and in one voice."""

import re
import unicodedata
from pathlib import Path

import django
import polib
import pytest

from tests.languages import catalogue, source

pytestmark = pytest.mark.once

HELD = r"%\(\w+\)[sd]|%[sd%]|\{\}|</?\w+>"  # what is filled in when a text is shown, and tags
DISTANT = {"de": r"\bIhr(e[mnrs]?)?\b|\bIhnen\b", "es": r"(?i)\busted", "zh-hans": "您"}  # people are friends here

STIFF = re.compile(  # nobody says that to a friend
    r"\b(any ?more|once more|lately|void|slip|e-mail|(some|any)body|proof|program|(was|were) ended|all is well|cannot|"
    r"(is|are|was|were|do|does|did|has|could|would|should) not)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def texts():
    return source.texts()


@pytest.fixture(params=catalogue.FOLDERS)
def folder(request):
    return request.param


@pytest.fixture(params=catalogue.LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def entries(folder, language):
    return catalogue.load(folder, language)


def test_there_is_something_to_say_and_each_text_once(texts):
    said = [text.msgid for folder in texts.values() for text in folder]
    assert len(said) > 300
    assert len(set(said)) == len(said), "gettext knows a text by its first form alone, and Django joins the catalogues"


def test_english_is_spoken_as_everyday_software_speaks_it(texts):
    said = [form for folder in texts.values() for text in folder for form in (text.msgid, text.plural)]
    api = (source.ROOT / "accounts/api/openapi.json").read_text()
    said += re.findall(r'"(?:summary|description|detail|message)": "(.+?)"[,\s]', api)
    assert [form for form in said if STIFF.search(form)] == []


def test_nothing_is_missing_and_nothing_is_left_over(entries, texts, folder):
    """`python -m tests.languages` mends both, but for the translations."""
    assert sorted(catalogue.text_of(entry) for entry in entries) == sorted(texts[folder])


def test_all_is_translated_and_nothing_is_doubtful(entries):
    for entry in entries:
        assert all(catalogue.translations(entry)), entry.msgid
        assert not entry.fuzzy, entry.msgid
        assert not entry.msgid_plural or len(entry.msgstr_plural) == catalogue.forms(entries), entry.msgid


def test_what_is_filled_in_is_the_same(entries):
    for entry in entries:
        *first, last = (sorted(re.findall(HELD, text)) for text in catalogue.translations(entry))
        assert last == sorted(re.findall(HELD, entry.msgid_plural or entry.msgid)), entry.msgid
        for form in first:
            assert form == sorted(re.findall(HELD, entry.msgid)), entry.msgid


def test_a_sentence_is_a_sentence_and_a_question_a_question(entries):
    for entry in entries:
        for text in catalogue.translations(entry):
            assert end(text) == end(entry.msgid), (entry.msgid, text)


def end(text):
    """The sign that ends a sentence, as it is in English; a greeting ends differently everywhere. A blank is none."""
    last = unicodedata.normalize("NFKC", text)[-1]
    return {"。": ".", ",": ":"}.get(last, last if last in ".?!: " else "")


def test_people_are_spoken_to_as_friends(entries, language):
    for entry in entries:
        for text in catalogue.translations(entry):
            assert not re.search(DISTANT[language], text), text


def test_what_django_reads_is_what_was_written(entries, folder, language):
    """`python -m tests.languages` compiles them."""
    assert catalogue.path(folder, language).with_suffix(".mo").read_bytes() == entries.to_binary()


def test_djangos_words_are_still_djangos():
    here = Path(django.__file__).parent
    its = [polib.pofile(str(path)) for path in here.rglob("locale/en/LC_MESSAGES/django.po")]
    theirs = {(entry.msgid, entry.msgid_plural) for catalogue in its for entry in catalogue}
    assert {(text.msgid, text.plural) for text in source.of_python(source.ROOT / "accounts/i18n_strings.py")} <= theirs
