"""What somebody may do whose address is not confirmed: EMAIL_VERIFICATION."""

import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import reverse

from accounts.middleware import LoginRequiredMiddleware
from accounts.models import User
from tests.accounts.conftest import sent
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.pages import ADMINS, OWN
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.once

VERIFY = "/accounts/email/verify/"


@pytest.fixture
def staff(bob):
    """Bob looks after the site, and nobody knows whether his address is his."""
    User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
    bob.refresh_from_db()
    return bob


def post(client, password=PASSWORD):
    return client.post(reverse("login"), {"username": "bob", "password": password})


def sign_in_by_api(client, password=PASSWORD):
    fields = {"username": "bob", "password": password}
    return client.post("/api/auth/login", fields, content_type="application/json")


def test_optional_is_the_default_and_opens_every_page(client, staff, sign_in, settings):
    assert settings.EMAIL_VERIFICATION == "optional"
    sign_in(client, staff)
    assert {client.get(url).status_code for url in (*OWN, "/admin/")} == {200}


class TestAccount:
    @pytest.fixture(autouse=True)
    def only(self, settings):
        settings.EMAIL_VERIFICATION = "account"

    def test_the_pages_of_the_account_are_open_and_others_lead_to_the_proof(self, client, staff, sign_in):
        sign_in(client, staff)
        assert {client.get(url).status_code for url in ("/", VERIFY, *OWN)} == {200}
        for url in (*ADMINS, reverse("admin:accounts_user_change", args=[staff.pk])):
            assert client.get(url).headers["Location"] == VERIFY
        assert client.post(reverse("logout")).headers["Location"] == "/accounts/login/"

    def test_a_confirmed_address_opens_the_rest_at_once_until_an_administrator_changes_it(
        self, client, staff, sign_in, committing
    ):
        sign_in(client, staff)
        with committing():
            client.post(VERIFY, {"again": ""})
        client.post(VERIFY, {"code": code_in(mail.outbox[-1])})
        assert client.get("/admin/").status_code == 200
        staff.refresh_from_db()
        staff.email_verified_at = None
        staff.save()
        assert client.get("/admin/").headers["Location"] == VERIFY

    def test_costs_no_query(self, client, bob, sign_in, django_assert_num_queries):
        sign_in(client, bob)
        request = client.get("/").wsgi_request
        with django_assert_num_queries(0):
            answer = LoginRequiredMiddleware(lambda request: None).process_view(request, lambda request: None, (), {})
        assert answer.headers["Location"] == VERIFY

    def test_the_api_gives_them_their_own_and_no_more(self, client, staff):
        tokens = sign_in_by_api(client).json()
        header = {"authorization": f"Bearer {tokens['access_token']}"}
        assert client.get("/api/me", headers=header).status_code == 200
        assert client.get("/api/admin/dashboard", headers=header).status_code == 403


class TestNothing:
    @pytest.fixture(autouse=True)
    def only(self, settings):
        settings.EMAIL_VERIFICATION = "mandatory"

    @pytest.fixture
    def tried(self, client, bob, committing):
        """A browser in which bob has given the right password."""
        with committing():
            response = post(client)
        assert response.headers["Location"] == VERIFY
        return client

    def test_the_right_password_starts_no_session_before_the_code_of_a_mail(self, tried, bob):
        assert sent() == [("email_confirm", ["bob@example.org"])]
        assert not RefreshToken.objects.exists()
        assert tried.post(VERIFY, {"code": code_in(mail.outbox[-1])}).headers["Location"] == "/"
        assert tried.get("/accounts/profile/").status_code == 200

    def test_a_wrong_one_says_the_same_as_ever(self, bob, settings):
        answers = set()
        for may in ("optional", "mandatory"):
            settings.EMAIL_VERIFICATION = may
            form = post(Client(), "not it").context["form"]
            answers.add((str(form.non_field_errors()), RefreshToken.objects.count(), len(mail.outbox)))
        assert len(answers) == 1

    def test_whoever_was_here_before_is_out(self, client, alice, bob, sign_in):
        sign_in(client, alice)  # whose address is confirmed
        assert client.get("/admin/").status_code == 200
        post(client)
        assert not RefreshToken.objects.live().exists()
        assert client.get("/accounts/profile/").status_code == 302

    def test_the_mails_are_not_without_end(self, bob, committing):
        statuses = []
        for _ in range(5):
            with committing():
                statuses.append(post(Client()).status_code)
        assert statuses == [302] * 3 + [429] * 2
        assert len(mail.outbox) == 3

    def test_the_api_says_what_is_to_be_done_once_the_password_is_right(self, client, bob):
        refused, wrong = sign_in_by_api(client), sign_in_by_api(client, "not it")
        assert refused.status_code == wrong.status_code == 401
        assert (refused.json()["title"], wrong.json()["title"]) == ("email_unconfirmed", "unauthorized")
        assert not RefreshToken.objects.exists()

    def test_a_new_password_by_mail_confirms_as_well(self, client, bob, committing):
        with committing():
            client.post(reverse("password_reset"), {"email": "bob@example.org"})
        form = client.get(link_in(mail.outbox[-1])).headers["Location"]
        new = "another battery horse"
        client.post(form, {"new_password1": new, "new_password2": new})
        assert post(client, new).headers["Location"] == "/"


def test_whom_somebody_made_at_the_keyboard_of_the_server_is_confirmed(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", username="root", email="root@example.org", verbosity=0)
    assert User.objects.get().email_verified_at is not None
