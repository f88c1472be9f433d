"""Creating an account, without telling who has one."""

import re
import threading

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.db import connection
from django.urls import reverse

from accounts.models import SecurityEvent, User
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

SIGN_UP = "/accounts/signup/"


def fields(**changes):
    return {
        "username": "ada",
        "email": "ada@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **changes,
    }


@pytest.fixture
def post(client, committing):
    def post(**changes):
        with committing():
            return client.post(SIGN_UP, fields(**changes))

    return post


class TestSignUp:
    def test_makes_an_account_and_signs_nobody_in(self, post, db):
        response = post()

        assert response.headers["Location"] == reverse("email_verify")
        ada = User.objects.get()
        assert (ada.username, ada.email, ada.is_staff, ada.is_superuser) == ("ada", "ada@example.org", False, False)
        assert ada.check_password(PASSWORD)
        assert not RefreshToken.objects.exists()
        assert get_user(response.wsgi_request).is_anonymous

    def test_the_next_page_says_what_happened(self, post, client, db):
        post()

        assert "We have written to ada@example.org." in client.get(reverse("email_verify")).content.decode()

    def test_the_account_opens_with_name_and_password(self, post, client, db, sign_in):
        post()

        sign_in(client, User.objects.get())

        assert "Hello, ada." in client.get("/").content.decode()

    def test_a_mail_asks_whether_the_address_is_theirs(self, post, db):
        post()

        [message] = mail.outbox
        assert (message.subject, message.to) == ("Is this your e-mail address?", ["ada@example.org"])
        assert "http://testserver/accounts/email/confirm/" in message.body

    def test_is_recorded(self, post, db):
        post()

        assert SecurityEvent.objects.get().kind == SecurityEvent.Kind.SIGNED_UP

    @pytest.mark.parametrize("field", ["is_staff", "is_superuser", "is_active"])
    def test_takes_no_other_field(self, post, db, field):
        post(**{field: "on" if field != "is_active" else ""})

        ada = User.objects.get()
        assert (ada.is_staff, ada.is_superuser, ada.is_active) == (False, False, True)

    def test_somebody_who_is_signed_in_goes_home(self, client, bob):
        client.force_login(bob)

        assert client.get(SIGN_UP).headers["Location"] == "/"


class TestWhatIsTaken:
    """Free, name taken, address taken, both taken: one answer."""

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

    def test_the_password_is_hashed_in_every_case(self, bob, post, monkeypatch):
        from tests.hashers import QuickArgon2Hasher

        for taken in self.TAKEN:
            hashed = []
            encode = QuickArgon2Hasher.encode
            with monkeypatch.context() as patch:
                patch.setattr(QuickArgon2Hasher, "encode", lambda *args: hashed.append(1) or encode(*args))  # noqa: B023
                post(**taken)
            assert hashed == [1], taken

    def test_a_taken_name_is_told_by_mail(self, bob, post):
        post(username="BOB")

        [message] = mail.outbox
        assert (message.subject, message.to) == ("Please choose another user name", ["ada@example.org"])
        assert User.objects.count() == 1

    def test_a_taken_address_is_told_to_its_owner(self, bob, post):
        post(email="Bob@Example.org")

        [message] = mail.outbox
        assert (message.subject, message.to) == ("You already have an account", ["bob@example.org"])
        assert "Hello bob," in message.body
        assert User.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_two_at_the_same_moment_make_one_account_and_no_error(self):
        barrier, answers = threading.Barrier(2), []

        def race(username):
            try:
                client = Client()
                barrier.wait()
                response = client.post(SIGN_UP, fields(username=username))
                answers.append((response.status_code, response.headers["Location"]))
            finally:
                connection.close()

        threads = [threading.Thread(target=race, args=(name,)) for name in ("ada", "lovelace")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert answers == [(302, reverse("email_verify"))] * 2
        assert User.objects.count() == 1
        assert sorted(message.subject for message in mail.outbox) == [
            "Is this your e-mail address?",
            "You already have an account",
        ]


class TestTheForm:
    @pytest.mark.parametrize("name", ["ada@example.org", "a b", "", "x" * 151, "a\nb", "a/b"])
    def test_refuses_a_name_like(self, post, db, name):
        response = post(username=name)

        assert response.context["form"].errors.keys() == {"username"}
        assert not User.objects.exists()

    @pytest.mark.parametrize("name", ["ada", "Zoë", "a.b+c-d_e", "42"])
    def test_takes_a_name_like(self, post, db, name):
        assert post(username=name).status_code == 302

    @pytest.mark.parametrize(
        "password",
        [
            "twelve twelve",
            "   x   y   z",
            "31415926535897",
            "пароль из слов",
            "🦉🦉🦉🦉🦉🦉🦉🦉",
            " spaces stay ",
            "x" * 64,
            "ab" * 512,
        ],
    )
    def test_takes_any_characters(self, post, db, password):
        assert post(password1=password, password2=password).status_code == 302
        assert User.objects.get().check_password(password)
        assert not User.objects.get().check_password(password.strip() + "?")

    def test_takes_spaces_as_typed(self, post, db):
        post(password1=" spaces stay ", password2=" spaces stay ")

        assert not User.objects.get().check_password("spaces stay")

    @pytest.mark.parametrize("password", ["short 7", "password123", "ada@example", "x" * 1025])
    def test_says_beside_the_field_what_is_wrong_with(self, post, db, password):
        page = post(password1=password, password2=password).content.decode()

        assert 'aria-describedby="id_password1_helptext id_password1_error"' in page
        assert 'aria-invalid="true"' in page
        assert 'id="id_password1_error"' in page

    def test_two_different_passwords_are_refused(self, post, db):
        assert "password2" in post(password2="another one").context["form"].errors

    def test_help_tells_the_length_that_is_asked_for(self, client, db, settings):
        [minimum] = [v for v in settings.AUTH_PASSWORD_VALIDATORS if v["NAME"].endswith("MinimumLengthValidator")]

        page = client.get(SIGN_UP).content.decode()

        assert f"At least {minimum['OPTIONS']['min_length']} characters" in page

    def test_managers_of_passwords_can_fill_it_in(self, client, db):
        page = client.get(SIGN_UP).content.decode()

        assert page.count('autocomplete="new-password"') == 2
        assert 'autocomplete="username"' in page
        assert 'autocomplete="email"' in page
        assert "maxlength" not in page.partition('name="password1"')[2]

    def test_a_form_from_elsewhere_is_refused(self, db):
        assert Client(enforce_csrf_checks=True).post(SIGN_UP, fields()).status_code == 403
        assert not User.objects.exists()


def _without_token(page: str) -> str:
    return re.sub(r'(?<=name="csrfmiddlewaretoken" value=")\w+', "", page)
