"""Between the password and the second factor nobody is signed in."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as live_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.db import connection
from django.urls import reverse

from accounts.factors import recovery_codes, totp
from accounts.models import Attempt, Authenticator, RecoveryCode, SecurityEvent, User
from tests.conftest import PASSWORD
from tests.factors.conftest import SECOND_FACTOR, SECURITY, give_password, is_signed_in
from tokens.models import RefreshToken
from tokens.testing import Client
from tokens.verification import verify_access

Kind = SecurityEvent.Kind


class TestPasswordThenCode:
    def test_the_password_alone_opens_nothing(self, secret):
        client = Client()
        response = give_password(client)
        assert (response.status_code, response.url) == (303, SECOND_FACTOR)
        given = {name for name, morsel in response.cookies.items() if morsel.value}
        assert given == {"__Host-attempt", live_settings.CSRF_COOKIE_NAME}
        assert not is_signed_in(client) and not RefreshToken.objects.exists()

    def test_the_code_completes_it(self, bob, secret, now):
        client = Client()
        give_password(client, remember="on", next=SECURITY)
        response = client.post(SECOND_FACTOR, {"code": now()})
        assert (response.status_code, response.url) == (302, SECURITY)
        row = RefreshToken.objects.get()
        assert (row.amr, row.remember, row.method) == ("pwd otp mfa", True, RefreshToken.Method.PASSWORD)
        assert verify_access(client.cookies["__Host-access"].value).amr == ("pwd", "otp", "mfa")
        assert client.cookies["__Host-attempt"].value == ""
        assert "with your password and a code" in client.get(reverse("sessions")).content.decode()
        assert is_signed_in(client)
        back = client.get(SECOND_FACTOR, follow=True)
        assert "took too long" not in back.content.decode() and back.wsgi_request.path == "/"

    def test_without_a_factor_it_is_as_before(self, bob):
        client = Client()
        assert give_password(client).status_code == 302
        assert is_signed_in(client)
        assert RefreshToken.objects.get().amr == "pwd"

    def test_a_code_works_once_in_any_spelling_and_no_older_one_after_it(self, secret, now):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now()})
        wide = "".join(chr(ord("\uff10") + int(digit)) for digit in now())
        for again in (now(), f" {now()[:3]} {now()[3:]}", wide, now(-1)):
            client = Client()
            give_password(client)
            assert b"You have" in client.post(SECOND_FACTOR, {"code": again}).content
        assert client.post(SECOND_FACTOR, {"code": now(1)}).status_code == 302

    @pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (1, True), (2, False)])
    def test_a_clock_may_be_a_step_off(self, secret, now, steps, right):
        client = Client()
        give_password(client)
        assert (client.post(SECOND_FACTOR, {"code": now(steps)}).status_code == 302) == right

    def test_five_tries_and_then_not_even_the_right_code(self, secret, now):
        client = Client()
        give_password(client)
        codes = [code for code in map("{:06}".format, range(9)) if code not in {now(-1), now(), now(1)}][:5]
        pages = [client.post(SECOND_FACTOR, {"code": code}) for code in codes]
        assert [page.status_code for page in pages] == [200, 200, 200, 200, 302]
        assert client.post(SECOND_FACTOR, {"code": now()}).url == reverse("login")
        assert SecurityEvent.objects.filter(kind=Kind.SECOND_FACTOR_FAILED).count() == 5

    def test_what_cannot_be_a_code_costs_no_try(self, secret, now):
        client = Client()
        give_password(client)
        for nonsense in ("", "12345", "abcdef", "é" * 100, "1" * 5000, "\0" * 6):
            assert client.post(SECOND_FACTOR, {"code": nonsense}).status_code == 200
        assert client.post(SECOND_FACTOR, {"code": now()}).status_code == 302

    def test_after_five_minutes_it_begins_again(self, secret, now, clock):
        client = Client()
        give_password(client)
        clock.shift(5 * 60)
        assert client.post(SECOND_FACTOR, {"code": now()}).url == reverse("login")
        assert not is_signed_in(client)

    def test_another_password_meanwhile_voids_it(self, bob, secret, now):
        client = Client()
        give_password(client)
        bob.set_password("another horse battery")
        bob.save(update_fields=["password"])
        assert client.post(SECOND_FACTOR, {"code": now()}).url == reverse("login")
        assert not RefreshToken.objects.exists()

    def test_the_cookie_of_another_browser_completes_nothing_of_ones_own(self, alice, secret, now):
        """Alice's password and Bob's code sign in neither."""
        client = Client()
        client.post(reverse("login"), {"username": "alice", "password": PASSWORD})
        assert client.post(SECOND_FACTOR, {"code": now()}).url == reverse("login")

    @pytest.mark.parametrize("page", ["login", "signup", "password_reset"])
    def test_whoever_comes_next_does_not_find_it(self, secret, now, page):
        client = Client()
        give_password(client)
        held = client.cookies["__Host-attempt"].value
        client.get(reverse(page))
        assert not Attempt.objects.exists()
        client.cookies["__Host-attempt"] = held
        assert client.post(SECOND_FACTOR, {"code": now()}).url == reverse("login")

    def test_it_ends_whoever_was_signed_in_here_before(self, alice, secret):
        client = Client()
        client.post(reverse("login"), {"username": "alice", "password": PASSWORD})
        give_password(client)
        assert not is_signed_in(client) and not RefreshToken.objects.live().exists()

    def test_the_password_and_its_limits_are_not_those_of_the_code(self, secret, now):
        """Ten wrong codes do not keep Bob from giving his password."""
        for _ in range(2):
            client = Client()
            give_password(client)
            for code in ("000000", "000001", "000002", "000003", "000004"):
                client.post(SECOND_FACTOR, {"code": code})
        assert give_password(Client()).status_code == 303


class TestEveryWayIn:
    @pytest.fixture
    def logging_in(self, settings):
        settings.ROOT_URLCONF = "tests.factors.urls"

    def test_a_packages_login_leads_to_the_second_factor(self, bob, secret, now, logging_in):
        client = Client()
        response = client.get("/log-in-bob/")
        assert (response.status_code, response.url) == (303, SECOND_FACTOR)
        assert not is_signed_in(client)
        assert client.post(SECOND_FACTOR, {"code": now()}).url == "/where/it/was/going/"
        assert RefreshToken.objects.get().amr == "otp mfa"

    def test_an_administrator_who_takes_over_an_account_and_whoever_completes_it_is_not_the_administrator(
        self, alice, bob, secret, now, logging_in
    ):
        client = Client()
        client.post(reverse("login"), {"username": "alice", "password": PASSWORD})
        response = client.post("/hijack/acquire/", {"user_pk": str(bob.pk)})
        assert (response.status_code, response.url) == (303, SECOND_FACTOR)
        assert not is_signed_in(client) and not RefreshToken.objects.live().exists()
        assert client.post(SECOND_FACTOR, {"code": now()}).status_code == 302
        assert client.post("/hijack/release/").status_code == 403
        assert [row.user for row in RefreshToken.objects.live()] == [bob]

    def test_a_session_of_django_that_is_taken_over(self, bob, secret, settings):
        settings.TOKENS_ADOPT_SESSIONS = "sessionid"
        settings.TOKENS_ADOPT_ENGINE = "django.contrib.sessions.backends.db"
        old = SessionStore()
        old.update({SESSION_KEY: str(bob.pk), HASH_SESSION_KEY: bob.get_session_auth_hash()})
        old[BACKEND_SESSION_KEY] = live_settings.AUTHENTICATION_BACKENDS[0]
        old.save()
        client = Client()
        client.cookies["sessionid"] = old.session_key
        assert not is_signed_in(client) and not RefreshToken.objects.exists()
        Authenticator.objects.all().delete()
        assert is_signed_in(client)

    def test_the_admin(self, bob, secret, now):
        User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
        client = Client()
        assert client.get("/admin/", follow=True).redirect_chain
        give_password(client, next="/admin/")
        assert client.get("/admin/").status_code == 302
        assert client.post(SECOND_FACTOR, {"code": now()}).url == "/admin/"
        assert client.get("/admin/").status_code == 200


class TestRecoveryCode:
    def test_works_once_and_tells_by_mail(self, bob, secret, committing):
        code, *others = recovery_codes.renew(bob)
        client = Client()
        give_password(client)
        with committing():
            assert client.post(SECOND_FACTOR, {"code": code.upper().replace("-", " ")}).status_code == 302
        assert [message.to for message in mail.outbox] == [[bob.email]]
        assert SecurityEvent.objects.filter(kind=Kind.RECOVERY_CODE_USED, user=bob).exists()
        client = Client()
        give_password(client)
        assert client.post(SECOND_FACTOR, {"code": code}).status_code == 200
        assert client.post(SECOND_FACTOR, {"code": others[0]}).status_code == 302

    def test_ten_of_eighty_bits_of_which_the_table_knows_two_letters(self, bob):
        codes = recovery_codes.renew(bob)
        assert len(set(codes)) == len({code[:2] for code in codes}) == 10
        assert all(re.fullmatch(r"[a-z]{2}(-[a-z2-7]{4}){4}", code) for code in codes)
        for row in RecoveryCode.objects.all():
            assert row.code_hash.startswith("argon2") and row.head in {code[:2] for code in codes}

    def test_new_ones_replace_the_old(self, bob):
        old = recovery_codes.renew(bob)
        recovery_codes.renew(bob)
        assert not recovery_codes.spend(bob, old[0])


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def at_once(self, act):
        def closing():
            try:
                return act()
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            return sum(pool.map(lambda _: closing(), range(8)))

    def test_a_code_an_attempt_and_a_recovery_code_have_one_winner(self, bob, secret, now):
        (code, *_) = recovery_codes.renew(bob)
        assert self.at_once(lambda: totp.spend(bob, now())) == 1
        assert self.at_once(lambda: recovery_codes.spend(bob, code)) == 1
        give_password(Client())
        assert self.at_once(lambda: Attempt.objects.filter(user=bob).spend()) == 1

    def test_the_tries_are_five(self, bob, secret):
        give_password(Client())
        assert self.at_once(lambda: Attempt.objects.filter(user=bob).use_try()) == 5


def test_a_form_whose_session_has_ended_meanwhile_is_carried_past_the_second_factor(bob, secret, now, clock):
    client = Client()
    give_password(client)
    client.post(SECOND_FACTOR, {"code": now()})
    RefreshToken.objects.all().revoke(RefreshToken.Reason.ENDED)
    typed = "first_name=Robert&last_name=&time_zone="
    page = client.post(reverse("profile"), typed, content_type="application/x-www-form-urlencoded")
    carried = re.search(r'name="carried_form" value="([^"]+)"', page.content.decode())[1]
    assert give_password(client, carried_form=carried).status_code == 303
    clock.shift(60)
    assert 'value="Robert"' in client.post(SECOND_FACTOR, {"code": now()}).content.decode()
