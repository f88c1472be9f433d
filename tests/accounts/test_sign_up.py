"""Creating an account, without telling who has one, neither at once nor later, and correcting what was mistyped."""

import re

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.email.tokens import code
from accounts.email.verification import RESEND_PAUSE
from accounts.models import EmailVerification, SecurityEvent, User
from accounts.models.email_verification import LINK_LIFETIME
from accounts.security.validators import PredictableValidator
from tests.accounts.conftest import sent, statements
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

SIGN_UP, VERIFY = "/accounts/signup/", "/accounts/email/verify/"
NEW = "another battery horse"
GUESSABLE = (
    *("short 7", "password123", "ada@example", "x" * 1025),
    *("a" * 16, "aaaaaaaaaaaaaaab", "PasswordPassword", "1234567890123456", "abcabcabcabcx", "Qwertzuiop987654321"),
)


def fields(**changes):
    return {
        "username": "ada",
        "email": "ada@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **changes,
    }


@pytest.fixture
def join(client, committing):
    def join(**changes):
        with committing():
            return client.post(SIGN_UP, fields(**changes))

    return join


class TestSignUp:
    def test_makes_an_account_and_signs_nobody_in(self, join, client, db):
        response = join(is_staff="on", is_superuser="on", is_active="")
        assert response.headers["Location"] == VERIFY
        assert client.get(VERIFY).context["address"] == "ada@example.org"
        ada = User.objects.get()
        assert (ada.username, ada.email, ada.is_staff, ada.is_superuser) == ("ada", "ada@example.org", False, False)
        assert ada.is_active and ada.check_password(PASSWORD)
        assert not RefreshToken.objects.exists()
        assert get_user(response.wsgi_request).is_anonymous
        assert SecurityEvent.objects.get().kind == SecurityEvent.Kind.SIGNED_UP

    @pytest.mark.parametrize("name", ["b\u043eb", "\u1160\u1160", "bob\u1160", "\u03a9mega", "\uae40\u0442"])
    def test_refuses_a_name_that_deceives(self, join, db, name):
        assert join(username=name).context["form"].errors.keys() == {"username"}

    @pytest.mark.parametrize(
        "name", ["\u7530\u4e2d\u30bf\u30ed\u30fc.taro", "\uae40kim", "\u0438\u0432\u0430\u043d_1", "\u0661\u0662", "1"]
    )
    def test_takes_a_name_in_any_script(self, join, db, name):
        assert join(username=name).status_code == 302

    def test_shows_whose_address_it_is_nothing_that_a_stranger_typed(self, join, db):
        join(username="www.win.example", email="victim@example.org")
        [message] = mail.outbox
        assert not any("www.win" in text for text in (message.body, message.alternatives[0].content))


class TestATakenName:
    """Is no secret: the form says it, and the rest stays as typed."""

    def test_is_told_whatever_is_said_of_the_address(self, join, bob):
        join()
        for email in ("ada@example.org", "bob@example.org"):
            response = join(username="Bob", email=email)
            assert response.context["form"].errors.keys() == {"username"}
            assert f'value="{email}"' in response.content.decode()
        assert (User.objects.count(), len(mail.outbox)) == (2, 1)

    @pytest.mark.django_db(transaction=True)
    def test_goes_to_one_of_two_at_the_same_moment(self):
        emails = "ada@example.org", "eve@example.org"
        answers = together([lambda email=email: Client().post(SIGN_UP, fields(email=email)) for email in emails])
        assert sorted(answer.status_code for answer in answers) == [200, 302]
        assert [message.kind for message in mail.outbox] == ["email_confirm"]
        assert User.objects.get().email == mail.outbox[0].to[0]

    def test_that_was_given_in_this_browser_just_now_is_told_as_done(self, join, client, db, clock):
        """Back, and again: the code that was mailed stays good."""
        for _ in range(2):
            assert join().headers["Location"] == VERIFY
        assert sent() == [("email_confirm", ["ada@example.org"])]
        assert client.post(VERIFY, {"code": code_in(mail.outbox[0])}).headers["Location"] == "/"
        client.post("/accounts/logout/")
        assert join().context["form"].errors.keys() == {"username"}

    @pytest.mark.parametrize("changes", [{"email": "eve@example.org"}, {"password1": NEW, "password2": NEW}])
    def test_and_what_is_typed_differently_then_counts(self, join, client, db, changes):
        join()
        assert join(**changes).headers["Location"] == VERIFY
        ada = User.objects.get()
        assert (ada.email, ada.check_password(changes.get("password1", PASSWORD))) == (mail.outbox[-1].to[0], True)
        assert client.post(VERIFY, {"code": code_in(mail.outbox[-1])}).headers["Location"] == "/"


class TestTheForm:
    @pytest.mark.parametrize("name", ["ada@example.org", "", "x" * 151, "a\nb"])
    def test_refuses_a_name_like(self, join, db, name):
        assert join(username=name).context["form"].errors.keys() == {"username"}
        assert not User.objects.exists()

    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("four quiet hero", None),
            ("four quiet her", "password_too_short"),
            ("aaaaaaaaaaaaaaaa", "password_predictable"),
            ("passwordpassword", "password_predictable"),
            ("1234567890123456", "password_predictable"),
            ("correcthorsebatterystaple", "password_breached"),
            ("CorrectHorseBatteryStaple", "password_breached"),
            ("SojournSojourn ada!", "password_of_own_words"),
        ],
    )
    def test_refuses_a_password_that_can_be_guessed(self, join, db, password, code):
        answer = join(password1=password, password2=password)
        if code is None:
            assert answer.status_code == 302
        else:
            [(field, errors)] = answer.context["form"].errors.as_data().items()
            assert (field, code in {error.code for error in errors}) == ("password1", True)

    def test_leaves_a_password_that_is_too_long_anyway_unread(self):
        """A form may bring megabytes, and Django asks every validator."""
        PredictableValidator().validate("a" * 1025)
        with pytest.raises(ValidationError):
            PredictableValidator().validate("a" * 1024)

    def test_tells_both_wrongs_of_a_password_at_once_each_under_its_field(self, join, db):
        errors = join(password1="too short", password2="something else entirely").context["form"].errors.as_data()
        assert {name: [error.code for error in found] for name, found in errors.items()} == {
            "password1": ["password_too_short"],
            "password2": ["password_mismatch"],
        }

    def test_tells_password_managers_the_rule(self, client, db):
        page = client.get(SIGN_UP).content.decode()
        assert page.count('minlength="15" passwordrules="minlength: 15;"') == 2

    def test_takes_any_characters_of_a_password_as_typed(self, join, db):
        password = " мой пароль🦉🦉 дня "
        assert join(username="Zoë", password1=password, password2=password).status_code == 302
        ada = User.objects.get()
        assert ada.check_password(password)
        assert not ada.check_password(password.strip())

    @pytest.mark.parametrize("password", GUESSABLE)
    def test_says_beside_the_field_what_is_wrong_with(self, join, db, password):
        page = join(password1=password, password2=password).content.decode()
        assert 'aria-describedby="id_password1_helptext id_password1_error"' in page
        assert page.count('aria-invalid="true"') == page.count('id="id_password1_error"') == 1

    def test_two_different_passwords_are_refused(self, join, db):
        assert join(password2="another one").context["form"].errors.keys() == {"password2"}

    def test_tells_the_length_that_is_asked_for_and_managers_of_passwords_what_is_what(self, client, db, settings):
        [minimum] = [v for v in settings.AUTH_PASSWORD_VALIDATORS if v["NAME"].endswith("MinimumLengthValidator")]
        page = client.get(SIGN_UP).content.decode()
        assert str(minimum["OPTIONS"]["min_length"]) in page.partition('id="id_password1_helptext"')[2]
        for purpose, times in (("new-password", 2), ("username", 1), ("email", 1)):
            assert page.count(f'autocomplete="{purpose}"') == times
        assert "maxlength" not in page.partition('name="password1"')[2]


class TestATakenAddress:
    """Nobody but its owner learns of it: neither by signing up, nor on the page that follows, nor later."""

    ADDRESSES = "ada@example.org", "BOB@example.org"

    @pytest.fixture(autouse=True)
    def bob(self, bob):
        User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
        return bob

    @pytest.mark.parametrize("then", ["code", "again", "email"])
    def test_gets_the_same_answers_at_the_same_price(self, committing, clock, hashes, then):
        found = set()
        for address in self.ADDRESSES:
            client = Client()
            hashes.clear()
            with committing(), CaptureQueriesContext(connection) as queries:
                answers = [client.post(SIGN_UP, fields(email="eve@example.org" if then == "email" else address))]
                answers.append(client.get(VERIFY))
                clock.shift(RESEND_PAUSE)
                answers.append(client.post(VERIFY, {then: address}, follow=True))
                answers.append(client.post("/accounts/login/", {"username": "ada", "password": PASSWORD}, follow=True))
            costs = [each for each in statements(queries) if each[0] not in ("RELEASE", "SAVEPOINT")]
            found.add((*map(without_address, answers), *costs, len(hashes)))
            User.objects.filter(username="ada").delete()
            cache.clear()
        assert len(found) == 1

    def test_is_told_its_owner_each_time_and_no_code_is_ever_right(self, sign_up, committing, clock):
        browser, _ = sign_up(email=self.ADDRESSES[1])
        clock.shift(RESEND_PAUSE)
        with committing():
            browser.post(VERIFY, {"again": ""})
        assert sent() == [("account_exists", ["bob@example.org"])] * 2
        browser.post(VERIFY, {"code": code(EmailVerification.objects.select_related("user").get())})
        assert User.objects.get(username="ada").email_verified_at is None


class TestAMistypedAddress:
    @pytest.mark.parametrize("policy", ["optional", "mandatory"])
    def test_is_corrected_on_the_page_of_the_code_and_all_else_stays(self, sign_up, committing, settings, policy):
        settings.EMAIL_VERIFICATION = policy
        browser, wrong = sign_up(email="ada@exmaple.org")
        if policy == "mandatory":  # in another browser, by the password
            browser = Client()
            assert browser.post("/accounts/login/", fields(password=PASSWORD)).headers["Location"] == VERIFY
        with committing():
            browser.post(VERIFY, {"email": "ada@example.org"})
        assert browser.get(VERIFY).context["address"] == "ada@example.org"
        assert sent()[-1] == ("email_confirm", ["ada@example.org"])
        for message, opens in ((wrong, False), (mail.outbox[-1], True)):
            link = browser.get(link_in(message, "confirm"))
            assert (link.status_code == 302) is opens
            browser.post(VERIFY, {"code": code_in(message)})
            ada = User.objects.get()
            assert (ada.email_verified_at is not None) is opens
        assert (ada.username, ada.email, ada.check_password(PASSWORD)) == ("ada", "ada@example.org", True)

    @pytest.mark.parametrize("reason", ["signed in before", "an hour later", "confirmed"])
    def test_is_not_when_others_may_sit_at_the_browser(self, sign_up, sign_in, clock, reason):
        browser, _ = sign_up()
        if reason == "signed in before":
            sign_in(Client(), User.objects.get())
        elif reason == "an hour later":
            clock.shift(LINK_LIFETIME.seconds + 1)
        else:
            User.objects.update(email_verified_at=timezone.now())
        assert browser.get(VERIFY).context["other"] is None
        browser.post(VERIFY, {"email": "eve@example.org"})
        assert User.objects.get().email == "ada@example.org"


def without_address(response):
    """Status, headers, cookies and page, without what differs from one sign-up to the next."""
    page = re.sub(r'(?<=name="csrfmiddlewaretoken" value=")\w+', "", response.content.decode())
    page = re.sub(r"(?i)\b(ada|bob)@example.org", "ADDRESS", page)
    headers = sorted(item for item in response.items() if item[0] not in ("Content-Length", "Expires", "X-Request-ID"))
    return response.status_code, page, *headers, *sorted(response.cookies), *getattr(response, "redirect_chain", ())
