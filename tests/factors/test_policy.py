"""Who has to have a second factor, and which pages ask for it."""

from datetime import timedelta

import pyotp
import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from accounts.factors import recovery_codes, totp
from accounts.models import Authenticator, User
from accounts.security.next_url import leading_to
from tests.accounts.reauthenticating import expire_reauthentication
from tests.accounts.test_api import App
from tests.conftest import PASSWORD
from tests.factors.conftest import SECOND_FACTOR, SECURITY, give_password, options
from tokens.models import RefreshToken
from tokens.testing import Client

CONFIRM, PROFILE, SET_UP = reverse("confirm"), reverse("profile"), reverse("authenticator")


@pytest.fixture
def staff(bob, settings):
    """Bob is of the staff, who have to have one."""
    settings.REQUIRE_SECOND_FACTOR_FOR = ["staff"]
    User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
    bob.refresh_from_db()
    return bob


@pytest.fixture
def signed_in(bob):
    """Return a browser in which Bob has given his password."""

    def signed_in(**fields):
        client = Client()
        give_password(client, **fields)
        return client

    return signed_in


class TestRequired:
    def test_whoever_has_none_is_led_to_set_one_up_before_anything_else(self, staff, clock):
        client = Client()
        assert give_password(client, next="/admin/").url == leading_to("security", "/admin/")
        for page in ("/admin/", "/admin/accounts/user/", PROFILE, reverse("sessions"), reverse("password_change")):
            assert client.get(page).url == leading_to("security", page)
            assert client.post(page).url == SECURITY
        assert "Your account needs a second step" in client.get(SECURITY).content.decode()
        for page in (SET_UP, reverse("export")):
            assert client.get(page).status_code == 200
        assert client.post(reverse("logout")).status_code == 302

    def test_and_then_goes_on(self, staff, signed_in, clock):
        client = signed_in()
        page = client.get(client.get("/admin/accounts/user/?q=x").url).content.decode()
        set_up = leading_to("authenticator", "/admin/accounts/user/?q=x")
        assert f'href="{set_up}"' in page
        secret = totp.new_secret()
        code = pyotp.TOTP(secret).at(timezone.now())
        response = client.post(
            set_up, {"secret": totp.encrypt(secret, until_confirmed_by=User.objects.get()), "code": code}
        )
        assert response.url == leading_to("recovery_codes", "/admin/accounts/user/?q=x")
        assert 'href="/admin/accounts/user/?q=x"' in client.post(response.url).content.decode()
        assert client.get("/admin/").status_code == client.get(PROFILE).status_code == 200
        assert "Your account needs" not in client.get(SECURITY).content.decode()
        client.post(reverse("authenticator_remove"))
        assert client.get("/admin/").url == leading_to("security", "/admin/")

    def test_a_passkey_leads_on_as_well_and_nothing_leads_elsewhere(self, staff, signed_in, authenticator):
        client = signed_in()
        add = leading_to("passkey_add", PROFILE)
        assert f'action="{add}"' in client.get(leading_to("security", PROFILE)).content.decode()
        page = client.post(add)
        assert f'action="{add}"' in page.content.decode()
        response = client.post(add, {"response": authenticator.create(options(page, "create"))})
        assert response.url == leading_to("recovery_codes", PROFILE)
        assert (
            'href="//evil.example"' not in client.get(leading_to("recovery_codes", "//evil.example")).content.decode()
        )

    def test_a_trusted_browser_spares_them_nothing(self, staff, secret, now, settings):
        settings.REQUIRE_SECOND_FACTOR_FOR = []
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        assert give_password(client).status_code == 302
        settings.REQUIRE_SECOND_FACTOR_FOR = ["superusers"]
        asked = client.get("/admin/accounts/user/?q=x")
        assert asked.url == f"{CONFIRM}?next=%2Fadmin%2Faccounts%2Fuser%2F%3Fq%3Dx"
        assert give_password(client).url == SECOND_FACTOR
        assert "trust" not in client.get(SECOND_FACTOR).context["form"].fields
        code, *_ = recovery_codes.renew(staff)
        client.post(SECOND_FACTOR, {"code": code})
        row = RefreshToken.objects.live().get()
        assert row.amr == "pwd otp mfa"
        label = "with your password and a code"
        assert label in client.get(reverse("admin:tokens_refreshtoken_change", args=[row.pk])).content.decode()

    def test_whose_session_is_from_before_shows_it_once(self, staff, secret, now, settings, clock):
        settings.REQUIRE_SECOND_FACTOR_FOR = []
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        give_password(client)
        settings.REQUIRE_SECOND_FACTOR_FOR = ["staff"]
        clock.shift(60)
        asked = client.get("/admin/").url
        assert client.post(asked, {"proof-code": now()}).url == "/admin/"
        assert client.get("/admin/").status_code == 200

    def test_a_group_is_meant_by_name(self, bob, signed_in, settings):
        settings.REQUIRE_SECOND_FACTOR_FOR = ["group:Finance department"]
        assert signed_in().get(PROFILE).status_code == 200
        bob.groups.add(Group.objects.create(name="Finance department"))
        assert signed_in().get(PROFILE).url == leading_to("security", PROFILE)

    def test_nobody_else_notices_and_ordinary_pages_ask_nothing(
        self, staff, alice, sign_in, signed_in, settings, django_assert_num_queries
    ):
        settings.REQUIRE_SECOND_FACTOR_FOR = ["staff", "group:Finance"]
        client = signed_in()
        with django_assert_num_queries(0):
            assert client.get("/").status_code == 200
        User.objects.filter(pk=alice.pk).update(is_staff=False, is_superuser=False)
        other = Client()
        sign_in(other, alice)
        assert other.get(PROFILE).status_code == 200

    def test_an_app_gets_no_tokens_and_old_ones_open_no_figures(self, staff, secret, now, settings):
        app = App()
        Authenticator.objects.all().delete()
        settings.REQUIRE_SECOND_FACTOR_FOR = []
        app.sign_in("bob")
        assert app.get("admin/dashboard").status_code == 200
        settings.REQUIRE_SECOND_FACTOR_FOR = ["staff"]
        assert app.get("admin/dashboard").status_code == 403
        response = App().sign_in("bob")
        assert (response.status_code, response.json()["title"]) == (401, "second_factor_missing")


class TestRequiredByPage:
    URL = "/needs-a-second-factor/"

    @pytest.fixture(autouse=True)
    def page(self, settings):
        settings.ROOT_URLCONF = "tests.factors.urls"

    def test_is_for_visitors_who_sign_in(self, db):
        assert Client().get(self.URL).url.startswith(reverse("login"))

    def test_leads_whoever_has_none_to_set_one_up(self, bob, signed_in):
        client = signed_in()
        assert client.get(self.URL).url == leading_to("security", self.URL)
        assert client.post(self.URL).url == SECURITY

    def test_opens_for_whoever_has_shown_it(self, secret, now, signed_in, clock):
        client = signed_in()
        client.post(SECOND_FACTOR, {"code": now()})
        RefreshToken.objects.update(authenticated_at=timezone.now() - timedelta(days=1))
        assert client.get(self.URL).content == b"shown"

    def test_asks_in_a_trusted_browser(self, secret, now, signed_in, clock):
        client = signed_in()
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        give_password(client)
        clock.shift(60)
        assert 'name="proof-code"' in client.get(self.URL).content.decode()
        assert client.post(self.URL, {"what": "ever"}).content != b"shown"
        assert client.post(self.URL, {"proof-code": now()}).url == self.URL
        assert client.get(self.URL).content == b"shown"

    def test_leads_whoever_has_lost_it_since_to_set_one_up_and_believes_their_password(
        self, bob, secret, now, signed_in, clock
    ):
        client = signed_in()
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        give_password(client)
        Authenticator.objects.all().delete()
        assert client.get(self.URL).url == leading_to("security", self.URL)
        change = reverse("username_change")
        assert client.post(change, {"username": "robert"}).status_code == 302
        expire_reauthentication()
        assert client.post(change, {"username": "rob", "proof-password": PASSWORD}).status_code == 302
        assert client.post(change, {"username": "bob"}).status_code == 302

    def test_leads_nowhere_else_by_a_path_that_looks_like_a_host(self, secret, now, signed_in, clock):
        client = signed_in()
        client.post(SECOND_FACTOR, {"code": now()})
        RefreshToken.objects.update(amr="pwd")
        clock.shift(60)
        answer = client.post("/", {"proof-code": now()}, PATH_INFO="//elsewhere.example/")
        assert answer.url == "/%2Felsewhere.example/"


class TestConfirm:
    def test_asks_however_recently_that_was_done_and_leads_on(self, bob, signed_in):
        client = signed_in()
        before = RefreshToken.objects.get().authenticated_at
        assert 'name="proof-password"' in client.get(f"{CONFIRM}?next={SECURITY}").content.decode()
        assert client.post(f"{CONFIRM}?next={SECURITY}", {"proof-password": "wrong"}).status_code == 200
        answer = client.post(f"{CONFIRM}?next={SECURITY}", {"proof-password": PASSWORD})
        assert answer.url == SECURITY
        assert RefreshToken.objects.get().authenticated_at > before

    @pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example/", "javascript:alert()", ""])
    def test_leads_nowhere_else(self, bob, signed_in, away):
        answer = signed_in().post(f"{CONFIRM}?next={away}", {"proof-password": PASSWORD})
        assert answer.url == "/"
