"""The pages on which an address is confirmed, changed and put back."""

import re
from uuid import UUID

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.core.cache import cache
from django.db.models import F
from django.urls import reverse

from accounts.email.verification import RESEND_PAUSE
from accounts.models import Authenticator, EmailVerification, SecurityEvent, User
from accounts.models.email_verification import CODE_LIFETIME, CODE_TRIES, LINK_LIFETIME
from tests.accounts.conftest import kinds
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.tokens.clock import jar
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.once

VERIFY, CHANGE = "/accounts/email/verify/", "/accounts/email/"
NEW = "bob@new.example"


@pytest.fixture
def post(here, committing):
    def post(url, client=here, **fields):
        with committing():
            return client.post(url, fields)

    return post


@pytest.fixture
def told(post):
    """The mail to the address from before, after a change that was confirmed."""
    post(CHANGE, email=NEW)
    post(VERIFY, code=code_in(mail.outbox[-1]))
    return mail.outbox[-1]


def page(response):
    return response.content.decode()


def dead(response):
    """Whether the page says that the link does nothing."""
    verification = response.context["verification"]
    return not verification or not (verification.is_undoable if verification.undone_at else verification.is_open)


def opened(client, link):
    """Where a link leads: the address of the page without the token."""
    response = client.get(link)
    assert (response.status_code, response.headers["Referrer-Policy"]) == (302, "no-referrer")
    clean = response.headers["Location"]
    assert clean == re.sub(r"[^/]+/$", "here/", link)
    return clean


class TestVerify:
    def test_the_code_confirms_and_signs_in_the_browser_that_signed_up(self, sign_up):
        browser, message = sign_up()
        said = page(browser.get(VERIFY))
        assert "ada@example.org" in said
        assert 'inputmode="numeric"' in said and 'autocomplete="one-time-code"' in said
        response = browser.post(VERIFY, {"code": code_in(message)}, follow=True)
        assert response.redirect_chain == [("/", 302)]
        assert "ada@example.org" in page(response)
        assert User.objects.get().email_verified_at is not None
        assert response.context["user"].username == "ada"
        assert RefreshToken.objects.get().method == RefreshToken.Method.PASSWORD
        assert browser.cookies["__Host-device"].value

    def test_the_code_leads_to_the_second_factor_of_whoever_has_one_by_then(self, sign_up):
        browser, message = sign_up()
        Authenticator.objects.create(user=User.objects.get(), secret="of no use here")
        response = browser.post(VERIFY, {"code": code_in(message)})
        assert (response.status_code, response.url) == (303, reverse("second_factor"))
        assert not RefreshToken.objects.exists() and "__Host-device" not in browser.cookies

    def test_the_code_signs_in_no_browser_in_which_somebody_was_signed_in_before(self, here, post):
        """Its session may have been ended because it was stolen."""
        post(VERIFY, again="")
        RefreshToken.objects.revoke_for([User.objects.get()])
        del here.cookies["__Host-access"], here.cookies["__Host-refresh"]
        assert post(VERIFY, code=code_in(mail.outbox[-1])).headers["Location"] == "/accounts/login/"
        assert not RefreshToken.objects.live().exists()

    def test_tells_wrong_used_up_and_expired_codes_apart_whoever_has_the_address(self, committing, client, bob, clock):
        User.objects.update(email_verified_at=F("date_joined"))
        shown = {}
        for name, email in (("ada", "ada@example.org"), ("eve", "bob@example.org")):
            cache.clear()
            browser, fields = Client(), {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
            with committing():
                browser.post(reverse("signup"), fields)
            said = [browser.post(VERIFY, {"code": "000000"}).context["form"].errors["code"] for _ in range(CODE_TRIES)]
            clock.shift(CODE_LIFETIME)
            shown[email] = [*said, browser.post(VERIFY, {"code": "000000"}).context["form"].errors["code"]]
        assert shown["ada@example.org"] == shown["bob@example.org"]
        assert len(set(map(str, shown["ada@example.org"]))) == CODE_TRIES + 1

    def test_of_what_was_confirmed_by_the_link_meanwhile_it_says_so_and_signs_nobody_in(self, sign_up, client):
        browser, message = sign_up()
        client.post(opened(client, link_in(message)))
        response = browser.get(VERIFY)
        assert response.headers["Location"] == "/accounts/login/"
        assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["success"]
        assert not RefreshToken.objects.exists()

    @pytest.mark.parametrize(("zero", "between"), [("0", "\u00a0"), ("\uff10", "\u2013"), ("\u0660", "\u200b\u200f")])
    def test_is_read_however_it_is_typed_and_what_is_no_code_costs_no_try(self, sign_up, zero, between):
        browser, message = sign_up()
        for typed in ("000000x", "", "12345", "1234567", "\u00b2" * 6, "1" * 51):
            assert browser.post(VERIFY, {"code": typed}).context["form"].errors.keys() == {"code"}
        assert User.objects.get().email_verified_at is None
        right = between.join(chr(ord(zero) + int(digit)) for digit in code_in(message))
        assert browser.post(VERIFY, {"code": right}).status_code == 302

    def test_after_five_wrong_ones_the_right_one_is_too_late_and_a_new_mail_helps(self, sign_up, committing, clock):
        browser, message = sign_up()
        for _ in range(5):
            assert browser.post(VERIFY, {"code": "000000"}).status_code == 200
        response = browser.post(VERIFY, {"code": code_in(message)})
        assert (response.status_code, "Retry-After" in response.headers) == (429, True)
        cache.clear()
        assert browser.post(VERIFY, {"code": code_in(message)}).context["form"].errors.keys() == {"code"}
        clock.shift(RESEND_PAUSE)
        with committing():
            assert browser.post(VERIFY, {"again": ""}).status_code == 302
        assert browser.post(VERIFY, {"code": code_in(mail.outbox[-1])}).status_code == 302
        assert User.objects.get().email_verified_at is not None

    def test_a_stranger_is_led_to_the_log_in_page(self, client, db):
        posts = [client.post(VERIFY, fields) for fields in ({"code": "123456"}, {"again": 1})]
        for response in (client.get(VERIFY), *posts):
            assert response.headers["Location"] == f"/accounts/login/?next={VERIFY}"

    def test_somebody_who_signed_in_elsewhere_can_have_a_mail(self, here, post):
        assert "one-time-code" not in page(here.get(VERIFY))
        post(VERIFY, again="")
        assert mail.outbox[-1].to == ["bob@example.org"]
        assert post(VERIFY, code=code_in(mail.outbox[-1])).headers["Location"] == "/"
        assert SecurityEvent.objects.first().kind == "email_confirmed"
        assert here.get(VERIFY).headers["Location"] == "/"

    def test_the_mail_can_be_had_again_once_a_minute_a_few_times_and_the_page_stays(self, here, post, clock):
        statuses = []
        for _ in range(5):
            statuses.append([post(VERIFY, again="").status_code for _ in range(2)])
            shown = page(here.get(VERIFY))
            clock.shift(RESEND_PAUSE)
        assert statuses == [[302, 302]] * 4 + [[429, 429]]
        assert len(mail.outbox) == 4
        assert 'data-wait="60"' not in shown and "one-time-code" in shown
        post(CHANGE, email=NEW)
        assert 'data-wait="60"' in page(here.get(VERIFY))


class TestConfirm:
    def test_shows_the_address_and_a_button_and_spends_nothing_on_scanners(self, sign_up, client):
        _, message = sign_up()
        for way in ("get", "head", "options", "post"):  # a POST to the link itself only opens the page
            getattr(Client(), way)(link_in(message), follow=way != "options")
        clean = opened(client, link_in(message))
        for way in (client.head, client.get):
            response = way(clean)
            assert (response.status_code, response.headers["Referrer-Policy"]) == (200, "no-referrer")
        assert "ada@example.org" in page(response)
        assert User.objects.get().email_verified_at is None

    def test_the_button_confirms_in_any_browser_and_signs_nobody_in(self, sign_up, client):
        _, message = sign_up()
        assert client.post(opened(client, link_in(message))).headers["Location"] == "/accounts/login/"
        assert User.objects.get().email_verified_at is not None
        assert jar(client) == {}
        assert not RefreshToken.objects.exists()

    def test_a_second_click_and_an_old_link_say_so_and_tell_strangers_nothing(self, sign_up, client):
        _, message = sign_up()
        EmailVerification.objects.update(requested_at=F("requested_at") - LINK_LIFETIME)
        late = client.get(link_in(message), follow=True)
        assert dead(late) and late.context["verification"].confirmed_at is None
        assert "ada@example.org" not in page(late)
        EmailVerification.objects.update(requested_at=F("requested_at") + LINK_LIFETIME)
        client.post(opened(client, link_in(message)), follow=True)
        for url in (link_in(message), re.sub(r"[^/]+/$", "here/", link_in(message))):
            response = client.get(url, follow=True)
            assert (response.status_code, response.headers["Referrer-Policy"]) == (200, "no-referrer")
            assert dead(response) and response.context["verification"].is_in_effect
            assert "ada@example.org" not in page(response)

    @pytest.mark.parametrize("token", ["%00", "here"])
    def test_a_wrong_link_says_the_same_to_everybody(self, sign_up, client, token):
        sign_up()
        answers = set()
        for key in (str(EmailVerification.objects.get().pk), str(UUID(int=0))):
            response = client.get(f"/accounts/email/confirm/{key}/{token}/")
            assert dead(response)
            answers.add(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page(response).replace(key, "KEY")))
        assert len(answers) == 1

    def test_the_page_without_its_token_is_of_no_use_to_another_browser(self, sign_up, client):
        _, message = sign_up()
        clean = opened(client, link_in(message))
        assert dead(Client().get(clean))
        Client().post(clean)
        assert User.objects.get().email_verified_at is None

    def test_an_address_taken_in_between_changes_nothing(self, post, client, alice):
        post(CHANGE, email=NEW)
        User.objects.filter(pk=alice.pk).update(email=NEW)
        response = client.post(opened(client, link_in(mail.outbox[-1])))
        assert response.headers["Location"] == "/accounts/login/"
        assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["error"]


class TestChange:
    def test_the_code_changes_it_and_a_reset_link_of_before_is_dead(self, here, post, bob):
        post(reverse("password_reset"), email="bob@example.org")
        link = link_in(mail.outbox[-1])
        assert post(CHANGE, email=NEW).headers["Location"] == VERIFY
        assert NEW in page(here.get(VERIFY))
        response = post(VERIFY, code=code_in(mail.outbox[-1]))
        assert NEW in page(here.get(response.headers["Location"]))
        assert VERIFY not in page(here.get("/"))
        bob.refresh_from_db()
        assert (bob.email, bob.email_verified_at is not None) == (NEW, True)
        assert not Client().get(link).context["validlink"]

    def test_is_shown_until_it_is_answered_with_the_way_to_the_code_in_the_browser_that_asked(
        self, here, post, bob, sign_in
    ):
        def shown(browser):
            """Whether the page names the new address, and whether it leads to the code."""
            response = browser.get(CHANGE)
            return NEW in page(response), response.context["here"]

        assert not shown(here)[0]
        post(CHANGE, email=NEW)
        elsewhere = Client()
        sign_in(elsewhere, bob)
        assert (shown(here), shown(elsewhere)) == ((True, True), (True, False))
        post(VERIFY, code=code_in(mail.outbox[-1]))
        assert here.get(CHANGE).context["pending"] is None

    def test_a_taken_address_gets_the_same_answer(self, here, post, alice):
        found = set()
        for address in (NEW, "ALICE@example.org"):
            response = post(CHANGE, email=address)
            said = re.sub(r'value="\w+"|data-wait="\d+"|in \d+ seconds?', "", page(here.get(VERIFY)))
            said = said.replace(address, "ADDRESS")
            found.add((response.status_code, response.headers["Location"], response.content, said))
        assert len(found) == 1
        assert [message.to for message in mail.outbox] == [[NEW], ["alice@example.org"]]

    def test_can_be_withdrawn_until_then_and_the_event_of_it_stays(self, here, post):
        post(CHANGE, email=NEW)
        assert post(CHANGE, withdraw="").headers["Location"] == CHANGE
        assert here.get(CHANGE).context["pending"] is None
        assert Client().get(link_in(mail.outbox[-1])).context["verification"] is None
        assert kinds()[-2:] == ["email_change_asked", "email_change_withdrawn"]

    @pytest.mark.parametrize("address", ["a@b", f"{'a' * 250}@example.org", "bob@example.org"])
    def test_refuses(self, post, address):
        assert post(CHANGE, email=address).context["form"].errors.keys() == {"email"}
        assert not mail.outbox


class TestUndo:
    def test_the_button_puts_it_back_once_and_leads_to_a_new_password(self, told, here, bob, committing):
        browser, link = Client(), link_in(told, "undo")
        clean = opened(browser, link)
        assert "bob@example.org" in page(browser.get(clean))
        bob.refresh_from_db()
        assert bob.email == NEW  # as long as the page is only looked at
        with committing():
            assert browser.post(clean).headers["Location"] == "/accounts/password/reset/done/"
        assert here.get("/accounts/profile/").status_code == 302
        assert Client().post(reverse("login"), {"username": "bob", "password": PASSWORD}).status_code == 200
        new = {"new_password1": "another battery horse", "new_password2": "another battery horse"}
        browser.post(browser.get(link_in(mail.outbox[-1])).headers["Location"], new)
        bob.refresh_from_db()
        assert (bob.email, bob.check_password("another battery horse")) == ("bob@example.org", True)
        again = browser.get(link, follow=True)
        assert dead(again)
        assert reverse("password_reset") in page(again)
