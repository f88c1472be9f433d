"""What people do not type: look-alikes, line breaks, a megabyte, NULs, other hosts, and persons who vanish."""

import re
import time

import pytest
from django.core import mail
from django.db.models.signals import pre_save
from django.urls import reverse

from accounts.models import AddressProof, SecurityEvent, User
from tests.accounts.letters import code_in, link_in
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

CHANGE, VERIFY, NAME = "/accounts/email/", "/accounts/email/verify/", "/accounts/username/"
RESET, SIGN_UP = "/accounts/password/reset/", "/accounts/signup/"


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
    "a long s": "mike\u017f@example.org",
    "a Cyrillic e": "mik\u0435s@example.org",
    "a full-width m": "\uff4dikes@example.org",
    "a zero-width space": "mik\u200bes@example.org",
    "a soft hyphen": "mik\u00ades@example.org",
    "a combining accent": "mike\u0301s@example.org",
    "a full-width at sign": "mikes\uff20example.org",
}
HOSTS = {
    "a full-width host": "mikes@\uff45xample.org",
    "an ideographic full stop": "mikes@example\u3002org",
    "a host in capitals": "mikes@EXAMPLE.ORG",
    "a Kelvin sign in the host": "mikes@e\u212aample.org",
}


class TestLookAlikes:
    @pytest.mark.parametrize("address", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
    def test_are_no_addresses_of_accounts(self, post, mike, address):
        for response in (post(SIGN_UP, account(email=address), client=Client()), post(CHANGE, {"email": address})):
            assert response.context["form"].errors.keys() == {"email"}
        assert not mail.outbox
        assert User.objects.count() == 1

    @pytest.mark.parametrize("address", [*LOOK_ALIKES.values(), *HOSTS.values()], ids=[*LOOK_ALIKES, *HOSTS])
    def test_of_a_reset_write_to_the_address_as_it_is_stored_or_to_nobody(self, post, mike, address):
        response = post(RESET, {"email": address}, client=Client())
        assert response.status_code in (200, 302)
        assert {one for message in mail.outbox for one in message.to} <= {"mikes@example.org"}

    @pytest.mark.parametrize("what", ["a full-width host", "a host in capitals"])
    def test_of_the_host_are_the_same_address(self, post, mike, what):
        post(SIGN_UP, account(email=HOSTS[what]), client=Client())
        assert User.objects.count() == 1
        assert (mail.outbox[-1].to, mail.outbox[-1].subject) == (["mikes@example.org"], "You already have an account")

    def test_a_host_in_another_script_is_kept_as_mail_servers_write_it_and_found_either_way(self, post, db):
        post(SIGN_UP, account(email="ada@B\u00fccher.example"), client=Client())
        assert User.objects.get(username="ada").email == "ada@xn--bcher-kva.example"
        assert mail.outbox[-1].to == ["ada@xn--bcher-kva.example"]
        for typed in ("ada@b\u00fccher.example", "ADA@xn--bcher-kva.example"):
            sent = {"username": typed, "password": PASSWORD}
            assert Client().post(reverse("login"), sent).status_code == 302


@pytest.mark.once
class TestLineBreaks:
    @pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\u0085", "\x0b"])
    @pytest.mark.parametrize("where", ["{0}Bcc: eve@evil.example", "a{0}b@example.org", "a@example.org{0}Bcc: x@y.zz"])
    def test_no_address_brings_a_header_along(self, post, mike, break_, where):
        address = where.format(break_)
        post(CHANGE, {"email": address})
        post(SIGN_UP, account(email=address), client=Client())
        post(RESET, {"email": address}, client=Client())
        assert not mail.outbox
        assert not AddressProof.objects.exists()

    @pytest.mark.parametrize("name", ["bob\r\nBcc: eve@evil.example", "bob\n", "\nbob", "b\u2028ob"])
    def test_nor_does_a_name(self, post, name):
        post(NAME, {"username": name})
        assert not re.search(r"[\r\n\u2028]", User.objects.get().username)
        assert all("Bcc" not in message.message().as_string() for message in mail.outbox)


MEGABYTE = "x" * 1_000_000


@pytest.mark.once
class TestAMegabyte:
    @pytest.mark.parametrize(
        ("url", "fields"),
        [
            (SIGN_UP, account(username=MEGABYTE)),
            (SIGN_UP, account(email=f"{MEGABYTE}@example.org")),
            (SIGN_UP, account(email=f"a@{MEGABYTE}.org")),
            (SIGN_UP, account(email="a@" + "\u00fc" * 300_000)),
            (SIGN_UP, account(password1=MEGABYTE, password2=MEGABYTE)),
            (RESET, {"email": f"{MEGABYTE}@example.org"}),
            (RESET, {"email": f"a@{MEGABYTE}.org"}),
            (CHANGE, {"email": f"{MEGABYTE}@example.org"}),
            (CHANGE, {"email": "a@" + "\u00fc" * 300_000}),
            (NAME, {"username": MEGABYTE}),
            (NAME, {"username": "\ufdfa" * 300_000}),  # eighteen letters each, once they are normalised
            (VERIFY, {"code": MEGABYTE}),
        ],
        ids=lambda value: value if isinstance(value, str) else "+".join(value),
    )
    def test_is_refused_soon_and_by_the_form(self, post, here, url, fields):
        browser = Client() if url in (SIGN_UP, RESET) else here
        if url == VERIFY:
            post(VERIFY, {"again": ""})
            mail.outbox.clear()
        start = time.monotonic()
        response = post(url, fields, client=browser)
        assert time.monotonic() - start < 2
        assert response.status_code == 200
        assert response.context["form"].errors
        assert not mail.outbox
        assert User.objects.count() == 1

    def test_of_a_link_is_no_link(self, client, db):
        for page in ("confirm", "undo"):
            url = f"/accounts/email/{page}/00000000-0000-0000-0000-000000000001/{MEGABYTE}/"
            assert "This link does not work" in client.get(url).content.decode()

    def test_and_three_are_too_many_for_any_form(self, post):
        assert post(NAME, {"username": MEGABYTE * 3}).status_code == 400


@pytest.mark.parametrize("url", [SIGN_UP, RESET, CHANGE, NAME, VERIFY])
@pytest.mark.parametrize("what", ["a\0b", "\0", "\x01\x02", "\ud7ff\ufffe", "\u202egro.elpmaxe@bob"])
def test_what_is_no_text_is_refused_by_the_form(post, here, url, what):
    if url == VERIFY:
        post(VERIFY, {"again": ""})
    browser = Client() if url in (SIGN_UP, RESET) else here
    fields = account(username=what, email=what) | {"code": what}
    response = post(url, fields, client=browser)
    assert response.status_code == 200
    assert response.context["form"].errors


@pytest.mark.once
class TestOtherHosts:
    HEADERS = ({"x-forwarded-host": "evil.example"}, {"x-host": "evil.example"}, {"forwarded": "host=evil.example"})

    @pytest.mark.parametrize("header", [*HEADERS, {"host": "testserver:8888"}, {"host": "localhost"}], ids=str)
    @pytest.mark.parametrize("page", ["signup", "email_verify", "email_change", "username_change", "password_reset"])
    def test_no_link_in_a_mail_leads_there(self, post, here, page, header):
        fields = account() | {"again": ""} | ({"email": "mikes@example.org"} if page == "password_reset" else {})
        post(reverse(page), fields, client=Client() if page == "signup" else here, headers=header)
        [message] = mail.outbox
        [html] = message.alternatives
        found = re.findall(r"https?://[^/\s\"<]+", message.body + html.content)
        assert found
        assert set(found) == {"http://testserver"}

    @pytest.mark.parametrize("page", ["signup", "email_verify", "email_change", "username_change", "password_reset"])
    def test_a_request_to_another_host_is_refused(self, post, here, page):
        response = post(reverse(page), account() | {"again": ""}, headers={"host": "evil.example"})
        assert response.status_code == 400
        assert not mail.outbox

    def test_no_page_of_these_is_led_elsewhere_by_next(self, post, here):
        away = "?next=https://evil.example/"
        found = [
            post(f"{SIGN_UP}{away}", account() | {"next": "//evil.example"}, client=Client()),
            post(f"{CHANGE}{away}", {"email": "m@new.example", "next": "//evil.example"}),
            post(f"{NAME}{away}", {"username": "michael", "next": "//evil.example"}),
            post(f"{VERIFY}{away}", {"again": "", "next": "//evil.example"}),
            post(f"{VERIFY}{away}", {"code": code_in(mail.outbox[-1]), "next": "//evil.example"}),
        ]
        assert [response.status_code for response in found] == [302] * 5
        assert all(re.match("/(?!/)", response.headers["Location"]) for response in found)


class TestVanished:
    """A person is deleted in the middle: behind Django's back, and by it."""

    @pytest.fixture(params=["deleted", "gone"])
    def vanish(self, request, mike):
        def vanish():
            if request.param == "deleted":
                mike.delete()
            else:
                RefreshToken.objects.all()._raw_delete(using="default")
                User.objects.filter(pk=mike.pk)._raw_delete(using="default")

        return vanish

    @pytest.mark.parametrize(
        ("url", "fields"),
        [
            (NAME, {"username": "michael"}),
            (CHANGE, {"email": "m@new.example"}),
            ("/accounts/password/change/", {"old_password": PASSWORD, "new_password1": "x", "new_password2": "x"}),
        ],
    )
    @pytest.mark.django_db(transaction=True)
    def test_of_a_closed_page_leads_to_the_log_in(self, here, vanish, url, fields):
        vanish()
        response = here.post(url, fields)
        assert response.status_code in (302, 303)
        assert here.get(url).headers["Location"].startswith("/accounts/login/")
        assert not mail.outbox

    @pytest.mark.parametrize(
        ("url", "fields"),
        [
            ("/accounts/profile/", {"first_name": "Michael"}),
            (
                "/accounts/password/change/",
                {"old_password": PASSWORD, "new_password1": "another battery", "new_password2": "another battery"},
            ),
        ],
    )
    @pytest.mark.django_db(transaction=True)
    def test_between_the_look_and_the_write_leads_there_too(self, here, mike, url, fields):
        def vanish(**_):
            pre_save.disconnect(vanish, sender=User)
            RefreshToken.objects.all()._raw_delete(using="default")
            User.objects.filter(pk=mike.pk)._raw_delete(using="default")

        pre_save.connect(vanish, sender=User)
        response = here.post(url, fields)
        assert response.status_code == 303
        assert here.get(url).headers["Location"].startswith("/accounts/login/")
        assert not mail.outbox

    @pytest.mark.parametrize("fields", [{"again": ""}, {"code": "123456"}])
    @pytest.mark.django_db(transaction=True)
    def test_of_the_page_for_the_code_confirms_nothing(self, here, vanish, fields):
        here.post(VERIFY, {"again": ""})
        vanish()
        assert here.post(VERIFY, fields).status_code in (200, 302)
        assert here.get(CHANGE).headers["Location"].startswith("/accounts/login/")
        assert not SecurityEvent.objects.filter(kind="address_confirmed").exists()

    @pytest.mark.django_db(transaction=True)
    def test_of_who_has_just_signed_up_says_that_the_code_is_wrong(self):
        browser = Client()
        browser.post(SIGN_UP, account())
        right = code_in(mail.outbox[-1])
        User.objects.all()._raw_delete(using="default")
        response = browser.post(VERIFY, {"code": right})
        assert "This code is wrong" in response.content.decode()
        assert browser.post(VERIFY, {"again": ""}).status_code == 302
        assert not SecurityEvent.objects.filter(kind="address_confirmed").exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_link_of_nobodys_does_nothing(self, here, vanish):
        here.post(CHANGE, {"email": "m@new.example"})
        link = link_in(mail.outbox[-1])
        vanish()
        assert "This link does not work" in Client().get(link).content.decode()
