"""Creating an account, without telling who has one: neither at once nor on the pages that follow."""

import re

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.email.tokens import code
from accounts.models import EmailVerification, OutgoingMail, SecurityEvent, User
from tests.accounts.conftest import sent, statements
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

SIGN_UP, VERIFY = "/accounts/signup/", "/accounts/email/verify/"


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


class TestWhatIsTaken:
    """Free, name taken, address taken, both taken: one answer."""

    @pytest.fixture
    def bob(self, bob):
        User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
        return bob

    TAKEN = (
        {},
        {"username": "Bob"},
        {"email": "BOB@example.org"},
        {"username": "bob", "email": "bob@EXAMPLE.org"},
    )

    def test_every_answer_is_alike_to_the_byte(self, bob, committing):
        answers = set()
        for taken in self.TAKEN:
            client = Client()
            with committing():
                response = client.post(SIGN_UP, fields(**taken))
            address = User.objects.normalize_email(taken.get("email", "ada@example.org"))
            page = client.get(response.headers["Location"]).content.decode()
            headers = sorted(item for item in response.items() if item[0] not in ("Expires", "X-Request-ID"))
            cookies = sorted(response.cookies)
            assert address in page
            page = page.replace(address, "ADDRESS")
            answers.add((response.status_code, response.content, *headers, *cookies, _without_token(page)))

        assert len(answers) == 1

    def test_costs_the_same_whatever_is_taken(self, bob, hashes):
        """One hash, and the same statements in the same order, but for the end of the savepoint."""
        costs = set()
        for taken in self.TAKEN:
            hashes.clear()
            with CaptureQueriesContext(connection) as queries:
                Client().post(SIGN_UP, fields(**taken))
            costs.add((len(hashes), *statements(queries), OutgoingMail.objects.count()))
            OutgoingMail.objects.all().delete()
            User.objects.filter(username="ada").delete()
        assert len(costs) == 1

    @pytest.mark.django_db(transaction=True)
    def test_two_at_the_same_moment_make_one_account_and_no_error(self):
        emails = "ada@example.org", "eve@example.org"
        answers = together([lambda email=email: Client().post(SIGN_UP, fields(email=email)) for email in emails])
        assert [answer.headers["Location"] for answer in answers] == [VERIFY] * 2
        assert User.objects.count() == 1
        assert sorted(message.kind for message in mail.outbox) == ["email_confirm", "username_taken"]


class TestTheForm:
    @pytest.mark.parametrize("name", ["ada@example.org", "", "x" * 151, "a\nb"])
    def test_refuses_a_name_like(self, join, db, name):
        assert join(username=name).context["form"].errors.keys() == {"username"}
        assert not User.objects.exists()

    def test_takes_any_characters_of_a_password_as_typed(self, join, db):
        password = " пароль🦉🦉 "
        assert join(username="Zoë", password1=password, password2=password).status_code == 302
        ada = User.objects.get()
        assert ada.check_password(password)
        assert not ada.check_password(password.strip())

    @pytest.mark.parametrize("password", ["short 7", "password123", "ada@example", "x" * 1025])
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


def _without_token(page: str) -> str:
    return re.sub(r'(?<=name="csrfmiddlewaretoken" value=")\w+', "", page)


class TestWhatASignUpFinds:
    """Free, name taken, address taken: whoever signed up is told the same, whatever they do on the page."""

    TAKEN = ({}, {"username": "Bob"}, {"email": "bob@example.org"})

    @pytest.fixture
    def bob(self, bob):
        User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
        return bob

    def answers(self, browser, address, **fields):
        response = browser.post(VERIFY, fields) if fields else browser.get(VERIFY)
        text = re.sub(r'value="\w+"', "", response.content.decode()).replace(address, "ADDRESS")
        cookies = tuple(name for name in response.cookies if "session" in name)
        return response.status_code, response.headers.get("Location"), text, cookies

    @pytest.mark.parametrize("fields", [{}, {"code": "123456"}, {"again": ""}], ids=str)
    def test_is_the_same_at_the_same_price(self, bob, sign_up, fields, committing):
        found = set()
        for taken in self.TAKEN:
            browser, _ = sign_up(**taken)
            with committing(), CaptureQueriesContext(connection) as queries:
                answers = self.answers(browser, taken.get("email", "ada@example.org"), **fields)
            found.add((*answers, len(queries)))
            User.objects.filter(username="ada").delete()
        assert len(found) == 1

    def test_the_mail_comes_again_to_whom_it_went(self, bob, sign_up, committing):
        kinds = "email_confirm", "username_taken", "account_exists"
        for taken, kind in zip(self.TAKEN, kinds, strict=True):
            browser, _ = sign_up(**taken)
            with committing():
                browser.post(VERIFY, {"again": ""})
            assert sent() == [(kind, [taken.get("email", "ada@example.org")])] * 2
            mail.outbox.clear()
            User.objects.filter(username="ada").delete()

    def test_no_code_is_ever_right_and_the_owner_sees_that_it_was_tried(self, bob, sign_up):
        browser, _ = sign_up(email="Bob@example.org")
        [proof] = EmailVerification.objects.filter(user=None)
        assert browser.post(VERIFY, {"code": code(proof)}).context["form"].errors.keys() == {"code"}
        assert SecurityEvent.objects.get(user=bob).kind == SecurityEvent.Kind.SIGN_UP_REPEATED
