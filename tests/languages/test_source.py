"""Every text that is marked for translation is found, wherever it stands."""

import pytest

from tests.languages import source
from tests.languages.source import Text

pytestmark = pytest.mark.once


@pytest.fixture
def read(tmp_path):
    """`read(code, suffix)`: the texts in such a file."""

    def read(code, suffix):
        path = tmp_path / f"file{suffix}"
        path.write_text(code)
        return list((source.of_python if suffix == ".py" else source.of_template)(path))

    return read


IMPORTS = (
    "from django.utils.translation import gettext as _, gettext_lazy, ngettext_lazy as many, npgettext, pgettext\n"
)


class TestOfPython:
    @pytest.mark.parametrize(
        "code, text",
        [
            ('_("One")', Text("One")),
            ('gettext_lazy("One " "line")', Text("One line")),
            ('f(x=[many("%d day", "%d days", "n")])', Text("%d day", "%d days")),
            ('pgettext("verb", "End")', Text("End", context="verb")),
            ('npgettext("of a week", "%d day", "%d days", 3)', Text("%d day", "%d days", "of a week")),
        ],
    )
    def test_finds_all_of_djangos_functions(self, read, code, text):
        assert read(IMPORTS + code, ".py") == [text]

    def test_an_underscore_is_no_function_by_itself(self, read):
        assert read("for _ in range(3): f(_)\n_('x')", ".py") == []

    @pytest.mark.parametrize("code", ["_(name)", '_(f"{name}")', '_("a" + b)', 'many("a", b, 3)'])
    def test_refuses_what_is_no_literal(self, read, code):
        with pytest.raises(ValueError, match=r"file\.py:2 translates what is no literal"):
            read(IMPORTS + code, ".py")

    def test_refuses_functions_that_it_would_not_find(self, read):
        with pytest.raises(ValueError, match="does not import by its name"):
            read("from django.utils import translation\ntranslation.gettext('x')", ".py")


class TestOfTemplate:
    @pytest.mark.parametrize(
        "code, text",
        [
            ('{% translate "One" %}', Text("One")),
            ("{% block a %}{% if b %}{% translate 'One' as one %}{% endif %}{% endblock %}", "One"),
            ("{% for a in b %}{% empty %}{% translate 'One' %}{% endfor %}", "One"),
            ('{% translate "100 %" %}', "100 %%"),
            ('{% translate "End" context "verb" %}', Text("End", context="verb")),
            ("{% blocktranslate with a=b|date:'c' %}Until {{ a }}{% endblocktranslate %}", "Until %(a)s"),
            ("{% blocktranslate trimmed %}\n  One\n  line\n{% endblocktranslate %}", "One line"),
            (
                "{% blocktranslate count n=n %}a day{% plural %}{{ n }} days{% endblocktranslate %}",
                Text("a day", "%(n)s days"),
            ),
        ],
    )
    def test_finds_both_tags_anywhere(self, read, code, text):
        assert read("{% load i18n %}" + code, ".html") == [text if isinstance(text, Text) else Text(text)]

    @pytest.mark.parametrize(
        "code", ["{% translate name %}", '{{ _("One") }}', '{% include "a.html" with b=_("One") %}']
    )
    def test_refuses_what_it_would_not_find(self, read, code):
        with pytest.raises(ValueError, match=r"file\.html"):
            read("{% load i18n %}" + code, ".html")
