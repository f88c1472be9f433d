"""What a single line of the code stands against: take the line away, and only the test here fails."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpResponse
from django.urls import path
from django.utils import timezone
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from accounts.models import User
from tests.conftest import PASSWORD
from tests.tokens import urls
from tests.tokens.clock import EXPIRED, copy_of, elapse, jar, left_behind
from tests.tokens.kinds import ACCESS, access_token, cause
from tests.tokens.outage import gone
from tokens import bearer, checks, users, verification
from tokens.auth import cycle_after_password_change
from tokens.conf import conf
from tokens.core import jwt, keyfile, keys
from tokens.core.exceptions import ExpiredToken, InvalidKeys, InvalidToken, RevocationListUnavailable
from tokens.core.rotation import Refresh, new_jti
from tokens.decorators import starts_or_ends_session
from tokens.models import RefreshToken

pytestmark = pytest.mark.urls(__name__)

Reason = RefreshToken.Reason


def says_that_the_password_changed(request):
    auth.update_session_auth_hash(request, request.user)
    return HttpResponse("said", status=int(request.GET.get("status", 200)))


@login_not_required
@starts_or_ends_session
def deactivated_meanwhile(request):
    user = auth.authenticate(request, username="bob", password=PASSWORD)
    User.objects.filter(pk=user.pk).update(is_active=False)
    auth.login(request, user)
    return HttpResponse(request.user.get_username() or "nobody")


urlpatterns = [
    *urls.urlpatterns,
    path("says/", says_that_the_password_changed),
    path("deactivated/", deactivated_meanwhile),
]


class Forgetful(LocMemCache):
    """A cache that does not take what it is given, and says so by the return value alone, as memcached's does."""

    def set_many(self, data, *args, **kwargs):
        return list(data)


@pytest.fixture
def bare(settings):
    """The site's own middleware sets headers as well; here are those that `tokens` sets."""
    settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "tokens.middleware.TokenMiddleware"]


class TestTokens:
    def test_an_access_token_is_not_for_later(self):
        token = access_token(replace(ACCESS, user={"nbf": 0}))
        assert cause(token) == "The token has a claim that does not belong to its kind."

    def test_a_claim_that_does_not_fit_its_field_is_nobodys(self, bob, signed_in, name_on):
        browser = signed_in(bob)
        claims = replace(verification.verify_access(jar(browser)["access"]), user={"is_staff": "perhaps"})
        browser.cookies["__Host-access"] = jwt.write_access(
            claims, ring=conf.key_ring, issuer=conf.issuer, audience=conf.audience
        )
        del browser.cookies["__Host-refresh"]
        assert name_on(browser) == "nobody"

    def test_none_outlives_its_session(self, bob, signed_in):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        end = timezone.now().replace(microsecond=0) + timedelta(minutes=1)
        RefreshToken.objects.update(expires_at=end)
        browser.get("/who/")
        assert verification.verify_access(jar(browser)["access"]).exp == end.timestamp()

    def test_one_that_was_remembered_is_forgotten_with_its_key(self, settings, tmp_path, monkeypatch, bob, signed_in):
        monkeypatch.setattr(keyfile, "CHECK_EVERY", 0)
        file = tmp_path / "keys.json"
        keyfile.write(file, {"keys": [keys.generate_jwk("HS256")]})
        settings.TOKENS_KEYS = str(file)
        token = jar(signed_in(bob))["access"]
        assert verification.verify_access(token)
        keyfile.write(file, {"keys": [keys.generate_jwk("HS256")]})
        with pytest.raises(InvalidToken):
            verification.verify_access(token)


class TestKeys:
    @staticmethod
    def hmac(length):
        return {"keys": [{"kty": "oct", "alg": "HS256", "k": keys.base64url(bytes(length))}]}

    def test_an_hmac_key_has_32_bytes(self):
        assert keys.parse_jwks(self.hmac(32)).current.alg == "HS256"
        with pytest.raises(InvalidKeys, match="shorter than 32 bytes"):
            keys.parse_jwks(self.hmac(31))

    def test_es256_is_on_p256(self):
        entry = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()), as_dict=True)
        with pytest.raises(InvalidKeys, match="not on the curve P-256"):
            keys.parse_jwks({"keys": [entry | {"alg": "ES256"}]})

    def test_eddsa_is_on_ed25519(self):
        entry = OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate(), as_dict=True)
        with pytest.raises(InvalidKeys, match="not on the curve Ed25519"):
            keys.parse_jwks({"keys": [entry | {"alg": "EdDSA"}]})

    def test_a_write_that_fails_leaves_nothing_behind(self, tmp_path):
        (tmp_path / "keys.json").mkdir()  # so that nothing can take its place
        with pytest.raises(OSError, match=r"keys\.json"):
            keyfile.write(tmp_path / "keys.json", self.hmac(32))
        assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


class TestRows:
    @pytest.fixture
    def row(self, bob):
        row = RefreshToken.objects.start(bob)
        RefreshToken.objects.filter(pk=row.pk).update(generation=5)
        return row

    @pytest.mark.parametrize("generation", [4, 5])
    def test_nothing_older_is_confirmed(self, row, generation):
        assert not RefreshToken.objects.confirm(row.pk, Refresh(generation, new_jti(1)))
        assert RefreshToken.objects.get().confirmed == Refresh(5, str(row.jti))

    def test_nothing_is_confirmed_after_the_end(self, row):
        row.revoke(Reason.ENDED)
        assert not RefreshToken.objects.confirm(row.pk, Refresh(6, new_jti(1)))
        assert RefreshToken.objects.get().generation == 5

    def test_a_reuse_that_is_found_twice_spares_what_was_opened_since(self, row, bob):
        assert RefreshToken.objects.revoke_reused(row) == 1
        since = RefreshToken.objects.start(bob)
        assert RefreshToken.objects.revoke_reused(row) == 0
        assert RefreshToken.objects.live().get() == since

    def test_none_is_live_past_its_end(self, row):
        RefreshToken.objects.update(expires_at=timezone.now())
        assert not RefreshToken.objects.live().exists()
        assert RefreshToken.objects.ended().get() == row

    def test_they_hold_no_session_hash_of_djangos(self, row, bob):
        assert row.auth_hash != bob.get_session_auth_hash()

    def test_a_change_fails_if_the_cache_of_the_list_does_not_take_it(self, row, settings):
        settings.CACHES = {**settings.CACHES, "shared": {"BACKEND": f"{__name__}.Forgetful"}}
        settings.TOKENS_REVOCATION_CACHE = "shared"
        with pytest.raises(RevocationListUnavailable):
            row.revoke(Reason.ENDED)
        assert RefreshToken.objects.live().exists()


class TestAtOnce:
    def test_whoever_comes_second_to_confirm_gets_nothing_and_is_asked_for_something_newer(
        self, bob, signed_in, monkeypatch
    ):
        one = signed_in(bob)
        elapse(EXPIRED, one)
        other = copy_of(one)
        for sibling in (one, other):
            sibling.get("/who/")
        elapse(EXPIRED, one, other)

        def second(sid, refresh):
            monkeypatch.undo()
            assert other.get("/who/").content == b"bob"
            return RefreshToken.objects.confirm(sid, refresh)

        monkeypatch.setattr(RefreshToken.objects, "confirm", second)
        response = one.get("/who/")
        assert response.status_code == 200 and {"__Host-access", "__Host-refresh"}.isdisjoint(response.cookies)
        assert RefreshToken.objects.get().probed_jti is not None  # which leaves its event
        assert one.get("/who/").status_code == 307

    def test_nothing_leaves_and_is_confirmed_of_a_session_that_ends_while_its_view_runs(
        self, bob, signed_in, monkeypatch
    ):
        browser = signed_in(bob)
        for _ in range(2):
            elapse(EXPIRED, browser)
            browser.get("/who/")
        elapse(EXPIRED, browser)

        def ended(sid, refresh):
            monkeypatch.undo()
            RefreshToken.objects.end_all()
            return RefreshToken.objects.confirm(sid, refresh)

        monkeypatch.setattr(RefreshToken.objects, "confirm", ended)
        before = RefreshToken.objects.get().generation
        response = browser.get("/who/")
        assert {"__Host-access", "__Host-refresh"}.isdisjoint(response.cookies)
        assert RefreshToken.objects.get().generation == before


class TestUsers:
    def test_two_requests_share_no_state(self, bob):
        fields = users.fields_from_claims(str(bob.pk), {"username": "bob"})
        one, other = (users.from_fields(fields, lambda: bob) for _ in range(2))
        assert one._state is not other._state

    def test_a_field_with_the_name_of_a_claim_is_no_claim(self, monkeypatch, settings):
        monkeypatch.setattr(checks, "RESERVED", {"first_name"})
        settings.TOKENS_USER_CLAIMS = ["username", "first_name"]
        assert [found.id for found in checks.check_settings()] == ["tokens.E008"]

    def test_one_who_was_deactivated_before_login_is_nobody(self, bob, client):
        assert client.post("/deactivated/").content == b"nobody"
        assert not RefreshToken.objects.exists()


class TestAPasswordThatChanged:
    def test_ends_the_others_even_if_nobody_saved_it(self, bob, signed_in, name_on):
        here, there = signed_in(bob), signed_in(bob)
        here.get("/says/")
        assert (name_on(here), name_on(there, "/guarded/")) == ("bob", "nobody")

    def test_is_none_on_a_page_that_failed(self, bob, signed_in, name_on):
        here, there = signed_in(bob), signed_in(bob)
        here.get("/says/?status=500")
        assert (name_on(here, "/guarded/"), name_on(there, "/guarded/")) == ("bob", "bob")

    def test_is_none_by_the_hash_of_another(self, bob, signed_in):
        request = signed_in(bob).get("/who/").wsgi_request
        cycle_after_password_change(request, "another")
        assert not request.tokens.created
        assert RefreshToken.objects.live().count() == 1


class TestPages:
    def test_a_database_that_fails_on_the_way_out_costs_no_page(self, bob, signed_in, monkeypatch):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        outage = gone()
        monkeypatch.setattr(urls, "WAITS", [RefreshToken.objects.all().bump, outage.__enter__])
        response = browser.get("/waits/")
        outage.__exit__(None, None, None)
        assert (response.status_code, response.content) == (200, b"bob")
        assert not response.cookies

    def test_a_form_that_was_lost_is_not_where_the_log_in_leads(self, client, db):
        assert client.post("/closed/").headers["Location"] == "/log-in/"
        assert client.get("/closed/").headers["Location"] == "/log-in/?next=/closed/"

    def test_the_page_with_the_form_asks_for_something_newer_and_its_answer_does_not(self, bob, signed_in):
        browser = signed_in(bob)
        old = left_behind(browser, url="/who/")
        assert old.post("/log-in/", {"look": "", "username": "bob", "password": "wrong"}).status_code == 401
        assert RefreshToken.objects.get().probe_count == 0
        assert old.get("/log-out/").status_code == 307

    def test_no_cache_keeps_what_depends_on_cookies(self, bare, bob, signed_in):
        browser = signed_in(bob)
        old = copy_of(browser)
        assert browser.get("/who/").headers["Vary"] == "Cookie"
        for _ in range(2):
            elapse(EXPIRED, browser, old)
            browser.get("/who/")
        asked, out = old.get("/who/"), browser.post("/log-out/")
        assert (asked.status_code, asked.headers["Cache-Control"]) == (307, "private, no-store")
        assert out.headers["Cache-Control"] == "private, no-store"


class TestBearer:
    @pytest.fixture
    def request_with(self, rf):
        return lambda token: rf.post("/", headers={"authorization": f"Bearer {token}"})

    def test_what_is_no_token_ends_nothing(self, request_with):
        with pytest.raises(InvalidToken, match="neither an access nor a refresh token"):
            bearer.end(request_with("a.b.c"))

    def test_an_access_token_that_another_has_overtaken_has_expired(self, request_with, rf, bob, settings):
        settings.TOKENS_CONFIRM_AFTER = 0
        first = bearer.start(rf.post("/"), bob)
        one, other = (bearer.refresh(request_with(first.refresh)) for _ in range(2))
        bearer.refresh(request_with(other.refresh))
        assert bearer.resume(request_with(other.access)) == bob
        with pytest.raises(ExpiredToken):
            bearer.resume(request_with(one.access))
