"""What people do not type: look-alikes, line breaks, a megabyte, NULs, other hosts, and persons who vanish."""

import re
import unicodedata
from uuid import UUID

import pytest
from django.core import mail
from django.forms import BaseForm
from django.urls import reverse
from django.utils import timezone

from accounts.models import EmailVerification, SecurityEvent, User
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of
from tokens.models import RefreshToken
from tokens.testing import Client

CHANGE, VERIFY, NAME = "/accounts/email/", "/accounts/email/verify/", "/accounts/username/"
RESET, SIGN_UP = "/accounts/password/reset/", "/accounts/signup/"
NEW = "an entirely new one"


@pytest.fixture
def mike(db):
    return User.objects.create_user("mike", "mikes@example.org", PASSWORD)


@pytest.fixture
def here(client, mike, sign_in):
    """The browser in which mike has signed in."""
    sign_in(client, mike)
    return client


@pytest.fixture
def post(here, committing):
    def post(url, fields, client=here, **extra):
        with committing():
            return client.post(url, fields, **extra)

    return post


def account(**changes):
    return {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD, **changes}


LOOK_ALIKES = {
    "a dotless i": "m\u0131kes@example.org",
    "a dotted capital I": "M\u0130KES@example.org",
    "a Kelvin sign": "mi\u212aes@example.org",
    "a full-width m": "\uff4dikes@example.org",
    "a zero-width space": "mik\u200bes@example.org",
    "a combining accent": "mike\u0301s@example.org",
    "a full-width at sign": "mikes\uff20example.org",
}


class TestLookAlikes:
    def test_are_no_addresses_of_accounts(self, post, mike):
        for what, address in LOOK_ALIKES.items():
            for response in (post(SIGN_UP, account(email=address), client=Client()), post(CHANGE, {"email": address})):
                assert response.context["form"].errors.keys() == {"email"}, what
        assert not mail.outbox
        assert User.objects.count() == 1

    def test_of_a_reset_write_to_the_address_as_it_is_stored_or_to_nobody(self, post, mike):
        for address in (*LOOK_ALIKES.values(), "mikes@example\u3002org"):
            post(RESET, {"email": address}, client=Client())
        assert {to for message in mail.outbox for to in message.to} <= {"mikes@example.org"}

    @pytest.mark.parametrize("host", ["\uff45xample.org", "EXAMPLE.ORG"])
    def test_of_the_host_are_the_same_address(self, post, mike, host):
        User.objects.update(email_verified_at=timezone.now())  # or others could still sign up with it
        for url in (RESET, SIGN_UP):
            post(url, account(email=f"mikes@{host}"), client=Client())
        assert {user.email for user in User.objects.all()} == {"mikes@example.org"}
        assert [message.kind for message in mail.outbox] == ["password_reset", "account_exists"]

    def test_a_host_in_another_script_is_kept_as_mail_servers_write_it_and_found_either_way(self, post, db):
        post(SIGN_UP, account(email="ada@B\u00fccher.example"), client=Client())
        assert User.objects.get(username="ada").email == "ada@xn--bcher-kva.example"
        for typed in ("ada@b\u00fccher.example", "ADA@xn--bcher-kva.example"):
            sent = {"username": typed, "password": PASSWORD}
            assert Client().post(reverse("login"), sent).status_code == 302


@pytest.mark.once
@pytest.mark.parametrize("address", ["a\nb@example.org", "a@example.org\r\nBcc: x@y.zz", "a@b.example%0ABcc:x"])
def test_no_address_brings_a_header_along(post, mike, address):
    post(CHANGE, {"email": address})
    post(SIGN_UP, account(email=address), client=Client())
    post(RESET, {"email": address}, client=Client())
    assert not mail.outbox
    assert not EmailVerification.objects.exists()


MEGABYTE = "x" * 1_000_000


@pytest.mark.once
class TestAMegabyte:
    @pytest.mark.parametrize(
        ("url", "fields"),
        [
            (SIGN_UP, account(username=MEGABYTE)),
            (SIGN_UP, account(email="a@" + "\u00fc" * 300_000)),
            (SIGN_UP, account(password1=MEGABYTE, password2=MEGABYTE)),
            (RESET, {"email": f"a@{MEGABYTE}.org"}),
            (CHANGE, {"email": "a@" + "\u00fc" * 300_000}),
            (NAME, {"username": "\ufdfa" * 300_000}),  # eighteen letters each, once they are normalised
            (VERIFY, {"code": MEGABYTE}),
        ],
        ids=lambda value: value if isinstance(value, str) else "+".join(value),
    )
    def test_is_refused_by_the_form_and_no_one_works_on_it(self, post, here, url, fields, monkeypatch):
        browser = Client() if url in (SIGN_UP, RESET) else here
        if url == VERIFY:
            post(VERIFY, {"again": ""})
            mail.outbox.clear()
        lengths, normalize = [], unicodedata.normalize
        monkeypatch.setattr(
            unicodedata, "normalize", lambda form, text: lengths.append(len(text)) or normalize(form, text)
        )
        assert post(url, fields, client=browser).context["form"].errors
        assert not mail.outbox
        assert User.objects.count() == 1
        assert max(lengths, default=0) <= 1024

    def test_of_a_link_is_no_link(self, client, db):
        for page in ("confirm", "undo"):
            response = client.get(f"/accounts/email/{page}/{UUID(int=1)}/{MEGABYTE}/")
            assert response.context["verification"] is None

    def test_and_three_are_too_many_for_any_form(self, post):
        assert post(NAME, {"username": MEGABYTE * 3}).status_code == 400


@pytest.mark.parametrize("url", [SIGN_UP, RESET, CHANGE, NAME, VERIFY])
def test_what_is_no_text_is_refused_by_the_form(post, here, url):
    if url == VERIFY:
        post(VERIFY, {"again": ""})
    browser = Client() if url in (SIGN_UP, RESET) else here
    for what in ("a\0b", "\u202egro.elpmaxe@bob"):
        fields = account(username=what, email=what) | {"code": what}
        assert post(url, fields, client=browser).context["form"].errors, what


@pytest.mark.once
class TestOtherHosts:
    @pytest.mark.parametrize("page", ["signup", "email_verify", "email_change", "username_change", "password_reset"])
    def test_no_link_in_a_mail_leads_there(self, post, here, page):
        headers = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example", "host": "testserver:8888"}
        fields = account() | {"again": ""} | ({"email": "mikes@example.org"} if page == "password_reset" else {})
        post(reverse(page), fields, client=Client() if page == "signup" else here, headers=headers)
        [message] = mail.outbox
        [html] = message.alternatives
        found = re.findall(r"https?://[^/\s\"<]+", message.body + html.content)
        assert set(found) == {"http://testserver"}

    def test_a_request_to_another_host_is_refused(self, post):
        assert post(RESET, {"email": "mikes@example.org"}, headers={"host": "evil.example"}).status_code == 400
        assert not mail.outbox

    def test_no_page_of_these_is_led_elsewhere_by_next(self, post, here):
        away = {"next": "//evil.example"}
        found = [
            post(f"{SIGN_UP}?next=//evil.example", account() | away, client=Client()),
            post(f"{NAME}?next=//evil.example", {"username": "michael"} | away),
            post(f"{CHANGE}?next=//evil.example", {"email": "m@new.example"} | away),
            post(f"{VERIFY}?next=//evil.example", {"again": ""} | away),
            post(f"{VERIFY}?next=//evil.example", {"code": code_in(mail.outbox[-1])} | away),
        ]
        assert [response.status_code for response in found] == [302] * 5
        assert all(re.match("/(?!/)", response.headers["Location"]) for response in found)


@pytest.mark.parametrize("word", ["nowhere", "session_end"])
def test_a_word_is_no_page_to_go_on_to(here, mike, sign_in, word):
    """Django takes it for the name of a view, which may not exist, or need to be told which session."""
    assert here.get(f"/accounts/checkup/?next={word}").headers["Location"] == "/accounts/activity/"
    confirmed = here.post(f"/accounts/confirm/?next={word}", {"proof-password": PASSWORD})
    assert confirmed.headers["Location"] == sign_in(Client(), mike, next=word).headers["Location"] == "/"


@pytest.mark.django_db(transaction=True)
class TestVanished:
    """A person is deleted in the middle: behind Django's back, and by it."""

    @pytest.fixture(params=["deleted", "gone"])
    def vanish(self, request, mike):
        return mike.delete if request.param == "deleted" else lambda: self.gone(mike)

    def gone(self, user):
        RefreshToken.objects.all()._raw_delete(using="default")
        User.objects.filter(pk=user.pk)._raw_delete(using="default")

    @pytest.mark.parametrize(
        ("url", "fields"),
        [
            ("/accounts/profile/", {"first_name": "Michael"}),
            ("/accounts/password/change/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}),
        ],
    )
    def test_between_the_look_and_the_write_leads_to_the_log_in(self, here, mike, url, fields, monkeypatch):
        looks_right = BaseForm.is_valid
        monkeypatch.setattr(BaseForm, "is_valid", lambda form: looks_right(form) and not self.gone(mike))
        assert here.post(url, fields).status_code == 303
        assert here.get(url).headers["Location"].startswith("/accounts/login/")
        assert not mail.outbox

    def test_on_a_page_does_nothing_and_a_link_neither(self, here, vanish):
        here.post(CHANGE, {"email": "m@old.example"})
        link = link_in(mail.outbox.pop())
        vanish()
        for url, fields in (
            (VERIFY, {"again": ""}),
            (VERIFY, {"code": "123456"}),
            (NAME, {"username": "michael"}),
            (CHANGE, {"email": "m@new.example"}),
        ):
            assert copy_of(here).post(url, fields).status_code in (200, 302, 303), url
        assert here.get(CHANGE).headers["Location"].startswith("/accounts/login/")
        assert Client().get(link).context["verification"] is None
        assert not SecurityEvent.objects.filter(kind="email_confirmed").exists()
        assert "m@new.example" not in str([message.to for message in mail.outbox])

    def test_of_who_has_just_signed_up_makes_the_code_worthless(self):
        browser = Client()
        browser.post(SIGN_UP, account())
        right = code_in(mail.outbox[-1])
        User.objects.all()._raw_delete(using="default")
        for fields in ({"code": right}, {"again": ""}, {"email": "eve@example.org"}):
            assert browser.post(VERIFY, fields).headers["Location"].startswith("/accounts/login/")
        assert not SecurityEvent.objects.filter(kind="email_confirmed").exists()
