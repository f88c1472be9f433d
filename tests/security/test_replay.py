"""Tokens after their end, and tokens that were there before the log-in."""

import json

import pytest
from django.core import signing

from tests.conftest import PASSWORD
from tests.security.corpus import ACCESS, PROBE, REFRESH
from tests.security.forging import part
from tests.tokens.clock import jar
from tokens import issuing
from tokens.models import RefreshToken
from tokens.testing import Client

SESSIONS = "/accounts/sessions/"
NEW = dict.fromkeys(("new_password1", "new_password2"), "an entirely new one")


class TestReplay:
    """Tokens that were good a moment ago, used again at once, on a page that guards the account and on an open one."""

    @pytest.fixture
    def loot(self, real):
        access, refresh = f"{ACCESS}={real.access}", f"{REFRESH}={real.refresh}"
        return [access, refresh, f"{access}; {refresh}"]

    @pytest.fixture
    def client(self, client, bob, real):
        reauth = issuing.reauth_value(RefreshToken.objects.get(user=bob))
        client.cookies.load({ACCESS: real.access, REFRESH: real.refresh, "__Host-reauth": reauth})
        return client

    def dead(self, opens, loot):
        return not any(map(opens, loot))

    def test_after_logging_out(self, client, opens, loot):
        assert all(map(opens, loot))
        client.post("/accounts/logout/")
        assert self.dead(opens, loot)

    def test_after_a_change_of_password(self, client, opens, loot):
        assert client.post("/accounts/password/change/", {"old_password": PASSWORD, **NEW}).status_code == 302
        assert self.dead(opens, loot)

    def test_after_a_reset_by_mail(self, opens, loot, bob, mailoutbox, committing):
        with committing():
            Client().post("/accounts/password/reset/", {"email": bob.email})
        [link] = [word for word in mailoutbox[0].body.split() if "/accounts/password/reset/" in word]
        other = Client()
        form = other.get(link.removeprefix("http://testserver"), follow=True).redirect_chain[-1][0]
        assert other.post(form, NEW).status_code == 302
        assert self.dead(opens, loot)

    def test_after_ending_all_sessions(self, client, opens, loot):
        client.post(f"{SESSIONS}end-all/")
        assert self.dead(opens, loot)

    def test_after_the_person_was_deactivated(self, opens, loot, bob):
        bob.is_active = False
        bob.save()
        assert self.dead(opens, loot)

    def test_after_the_person_was_deleted_and_another_got_the_name(self, opens, loot, bob, django_user_model):
        bob.delete()
        django_user_model.objects.create_user("bob", "bob@example.org", PASSWORD)
        assert self.dead(opens, loot)

    def test_after_signing_in_anew_in_the_same_browser(self, client, opens, loot, bob, sign_in):
        sign_in(client, bob)
        assert self.dead(opens, loot)
        assert jar(client)


class TestFixation:
    """Alice's browser, in which the attacker has left cookies of his own, or of nobody's."""

    @pytest.fixture
    def planted(self, real, client):
        client.cookies.load({ACCESS: real.access, REFRESH: real.refresh})
        return client

    def test_logging_in_makes_a_new_sign_in_and_ends_the_planted_one(self, planted, opens, real, alice, sign_in):
        [attackers] = RefreshToken.objects.all()
        planted.get("/accounts/login/")
        planted.cookies["__Host-csrftoken"] = "a" * 32
        salt = "django.contrib.sessions.backends.signed_cookies"
        planted.cookies["__Host-session"] = signing.dumps({"basket": "the attacker's"}, salt=salt)
        sign_in(planted, alice)
        attackers.refresh_from_db()
        assert (attackers.is_live, attackers.reason) == (False, "replaced")
        assert RefreshToken.objects.live().get().user == alice
        assert not set(jar(planted).values()) & {real.access, real.refresh}
        assert not opens(f"{ACCESS}={real.access}; {REFRESH}={real.refresh}")
        assert planted.cookies["__Host-csrftoken"].value != "a" * 32
        assert not planted.cookies["__Host-session"].value

    def test_no_token_exists_before_somebody_logs_in(self, wsgi, db):
        for url in ("/", "/accounts/login/", "/accounts/signup/", SESSIONS):
            assert wsgi.get(url).cookies.keys() <= {"__Host-csrftoken"}
        assert not RefreshToken.objects.exists()

    def test_a_probe_that_was_planted_makes_nobodys_token_a_stolen_one(self, real, wsgi, opens, alice):
        """The attacker's own probe, in Alice's jar beside her own good tokens."""
        client = Client()
        client.force_login(alice)
        claims = json.loads(part(real.refresh, 1))
        probe = signing.dumps([claims["sid"], claims["jti"]], salt="tokens.probe")
        hers = jar(client)
        assert opens(f"{ACCESS}={hers['access']}; {REFRESH}={hers['refresh']}; {PROBE}={probe}")
        assert RefreshToken.objects.live().count() == 2
