"""The same password hashed anew is no new password: sessions, links, codes and known browsers stay good."""

import ast
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.core import mail

import accounts
from accounts.models import User
from accounts.security import known_browsers
from tests.accounts.conftest import FIREFOX
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.testing import AsyncClient, Client

SESSIONS = "/accounts/sessions/"
NEW = "an entirely new one"


def stored():
    return User.objects.get(username="bob")


@pytest.fixture(params=["django.contrib.auth.hashers.PBKDF2PasswordHasher", "tests.hashers.OlderArgon2Hasher"])
def here(request, settings, bob, sign_in):
    """Bob's browser, signed in while his hash was what an import or a lower cost has made."""
    hashers = settings.PASSWORD_HASHERS
    settings.PASSWORD_HASHERS = [request.param, *hashers]
    bob.set_password(PASSWORD)
    bob.save()
    browser = Client(headers={"user-agent": FIREFOX})
    sign_in(browser, bob)
    settings.PASSWORD_HASHERS = hashers
    return browser


@pytest.fixture
def upgrade(here):
    """`upgrade()` checks the password as a sign-in elsewhere does, and has it hashed anew."""

    def upgrade():
        before = stored()
        assert stored().check_password(PASSWORD)
        assert stored().password != before.password
        assert stored().password_version == before.password_version

    return upgrade


class TestAnUpgrade:
    def test_signs_no_browser_out_and_makes_none_a_stranger(self, here, bob, sign_in, client):
        sign_in(client, bob)
        for browser in (here, client):
            response = browser.get(SESSIONS)
            assert response.status_code == 200
            assert known_browsers.is_known(response.wsgi_request, stored())
        assert stored().password.startswith("argon2$argon2id$v=19$m=64,t=1")

    def test_leaves_a_reset_link_good(self, upgrade, client, committing):
        with committing():
            client.post("/accounts/password/reset/", {"email": "bob@example.org"})
        upgrade()
        form = client.get(link_in(mail.outbox[-1])).headers["Location"]
        assert client.post(form, {"new_password1": NEW, "new_password2": NEW}).status_code == 302
        assert stored().check_password(NEW)

    @pytest.mark.parametrize("by", ["link", "code"])
    def test_leaves_a_change_of_the_email_good_and_its_undo(self, here, upgrade, committing, by):
        with committing():
            here.post("/accounts/email/", {"email": "bob@new.example"})
        asked = mail.outbox[-1]
        upgrade()
        with committing():
            if by == "link":
                here.post(here.get(link_in(asked)).headers["Location"])
            else:
                here.post("/accounts/email/verify/", {"code": code_in(asked)})
        assert stored().email == "bob@new.example"
        [told] = [message for message in mail.outbox if message.to == ["bob@example.org"]]
        here.post(here.get(link_in(told, "undo")).headers["Location"])
        assert stored().email == "bob@example.org"

    def test_leaves_a_mail_that_waits_worth_sending(self, here, upgrade, committing):
        with committing():
            here.post("/accounts/email/", {"email": "bob@new.example"})
            upgrade()
        assert [message.to for message in mail.outbox] == [["bob@new.example"]]

    def test_by_reauthentication_leaves_the_session_that_asks(self, here):
        fields = {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"}
        assert here.post("/accounts/password/change/", fields).status_code == 200
        assert stored().password.startswith("argon2$argon2id$v=19$m=64,t=1")
        assert here.get(SESSIONS).status_code == 200


@pytest.mark.django_db(transaction=True)
class TestElsewhere:
    def test_of_two_sign_ins_at_once_all_sessions_live(self, here, bob, sign_in):
        browsers = Client(), Client()
        together([lambda browser=browser: sign_in(browser, bob) for browser in browsers])
        assert [browser.get(SESSIONS).status_code for browser in (here, *browsers)] == [200] * 3

    def test_an_async_sign_in_upgrades_as_well(self, here):
        browser = AsyncClient()

        async def sign_in():
            assert await browser.alogin(username="bob", password=PASSWORD)
            return (await browser.get(SESSIONS)).status_code

        assert async_to_sync(sign_in)() == here.get(SESSIONS).status_code == 200
        assert stored().password.startswith("argon2$argon2id$v=19$m=64,t=1")


@pytest.mark.parametrize("change", ["set_password", "set_unusable_password"])
def test_a_change_of_the_password_is_another_version_even_when_the_password_alone_is_saved(bob, change):
    before = stored().password_version
    getattr(bob, change)(*([PASSWORD] if change == "set_password" else []))
    bob.save(update_fields=["password"])
    assert before != bob.password_version == stored().password_version


def test_nothing_but_the_model_takes_the_stored_hash_for_the_password():
    """A link, mark or stamp that is bound to the hash dies when the same password is hashed anew."""
    reading = [
        path.name
        for path in Path(accounts.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("password", "get_session_auth_hash")
    ]
    assert set(reading) == {"user.py"}
