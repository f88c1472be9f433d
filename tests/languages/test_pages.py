"""Every page speaks one language: no English is left on it, and no number is written for people where none reads it."""

import pytest
from django.utils import timezone

from accounts.models import SecurityEvent
from tests.accounts.conftest import FIREFOX, IPHONE
from tests.conftest import PASSWORD
from tests.languages.catalogue import LANGUAGES
from tests.languages.reader import english
from tests.security.test_crawl import Page, crawl
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.once

FORMS = {  # and what makes each say what is wrong
    "/accounts/login/": [{"username": "bob", "password": "is it this?"}, {}],
    "/accounts/signup/": [
        {"username": "bob marsh", "email": "bob@x", "password1": "password", "password2": "password"},
        {"username": "x" * 151, "email": "\u0131@example.org", "password1": "a", "password2": "b"},
        {"username": "ada", "email": "ada@example.org", "password1": "ada", "password2": "x" * 1025},
        {},
    ],
    "/accounts/username/": [{"username": "alice"}, {"username": "bob"}, {"username": "a@b"}],
    "/accounts/email/": [{"email": "bob@example.org"}],
    "/accounts/password/change/": [{"old_password": "is it this?", "new_password1": "bob", "new_password2": "bob"}],
    "/accounts/email/verify/": [{"code": "1"}],
}


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def speaking(language):
    """`speaking(person)`: their browser, which asks for the language."""

    def speaking(person=None):
        client = Client(headers={"accept-language": language, "user-agent": FIREFOX})
        if person:
            client.post("/accounts/login/", {"username": person.username, "password": PASSWORD})
        return client

    return speaking


@pytest.fixture
def lived(alice):
    """Alice has a history in which everything happened, and sessions that ended in every way."""
    for kind in SecurityEvent.Kind:
        SecurityEvent.objects.create(user=alice, kind=kind, user_agent=IPHONE)
    for reason in RefreshToken.Reason:
        Client(headers={"user-agent": IPHONE}).force_login(alice)
        RefreshToken.objects.order_by("-created_at")[:1].get().revoke(reason)
    for seen in (0, 5, 50):
        Client(headers={"user-agent": IPHONE}).force_login(alice)
        newest = RefreshToken.objects.order_by("-created_at")[:1].get()
        RefreshToken.objects.filter(pk=newest.pk).update(last_used_at=timezone.now() - timezone.timedelta(hours=seen))
    return alice


def check(response, language):
    page = response.content.decode()
    assert f'lang="{language}"' in page.partition("<head>")[0], page[:200]
    # A permission has its name in the database, in English.
    assert [words for words in english(page) if " | Can " not in words] == []


def test_the_reader_does_find_english():
    page = "<html lang=de><p title='Please go on'>Gut</p><b lang=en>the<br>end</b><i>und <u>this</u> auch</i></html>"
    assert english(page) == ["Please go on", "this"]


@pytest.mark.parametrize("name", ["a visitor", "alice"])
def test_no_page_that_links_lead_to_has_english_on_it(lived, speaking, language, name):
    seen = crawl(speaking(lived if name == "alice" else None))
    pages = {url: page for url, page in seen.items() if page.headers["Content-Type"].startswith("text/html")}
    assert len([page for page in pages.values() if page.content]) > (5 if name == "a visitor" else 12)
    assert name == "a visitor" or {"/accounts/sessions/", "/accounts/activity/", "/admin/"} <= pages.keys()
    for page in pages.values():
        if page.content:
            check(page, language)


def test_no_form_complains_in_english(bob, alice, speaking, language):
    for url, tries in FORMS.items():
        anonymous = url in ("/accounts/login/", "/accounts/signup/")
        for fields in tries:
            page = speaking(None if anonymous else bob).post(url, fields)
            assert page.status_code == 200, url
            check(page, language)


def test_no_picture_is_drawn_with_the_numbers_of_people(lived, speaking):
    """Where the decimal sign is a comma, two numbers would become four."""
    client = speaking(lived)
    for url in ("/admin/", "/accounts/sessions/", "/accounts/activity/"):
        for tag, attributes in Page(client.get(url).content.decode()).tags:
            for name in ("x", "y", "x1", "x2", "y1", "y2", "width", "height", "r", "cx", "cy", "rx"):
                assert "," not in (attributes.get(name) or ""), (url, tag, attributes)
