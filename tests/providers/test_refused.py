"""What a forged answer gets, and one that comes without the cookie."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from accounts.models import Identity, ProviderFlow
from tests.providers.conftest import CALLBACK, is_signed_in
from tests.providers.issuer import KEY, OTHER_KEY
from tokens.testing import Client

pytestmark = pytest.mark.django_db


class TestForgedAnswer:
    """None signs anybody in, makes an account or fails."""

    @pytest.fixture
    def refused(self, client, caplog):
        """`refused(response, cause)` holds it against what the log says."""

        def refused(response, cause):
            assert response.status_code == 302 and response.headers["Location"] == reverse("login")
            assert cause in " ".join(record.cause for record in caplog.records if hasattr(record, "cause"))
            assert not Identity.objects.exists() and not is_signed_in(client)

        return refused

    @pytest.mark.parametrize(
        ("claims", "cause"),
        [
            ({"iss": "https://evil.example"}, "issuer"),
            ({"aud": "another"}, "Audience"),
            ({"aud": ["us", "another"]}, "another client"),
            ({"aud": ["us", "another"], "azp": "another"}, "another client"),
            ({"azp": "another"}, "another client"),
            ({"nonce": "another"}, "another flow"),
            ({"nonce": 1}, "another flow"),
            ({"exp": 1}, "expired"),
            ({"exp": "soon"}, "not valid"),
            ({"sub": 1}, "Subject"),
            ({"sub": ""}, "subject"),
            ({"sub": "a\0"}, "subject"),
            ({"sub": "x" * 256}, "subject"),
            ({"at_hash": "another"}, "access token"),
        ],
    )
    def test_by_a_claim(self, client, issuer, sign_in_with, refused, claims, cause):
        issuer.claims |= claims
        refused(sign_in_with(client), cause)

    @pytest.mark.parametrize("claim", ["sub", "aud", "exp", "iat", "nonce", "iss"])
    def test_by_a_claim_that_is_missing(self, client, issuer, sign_in_with, refused, claim):
        issuer.without = {claim}
        refused(sign_in_with(client), claim)

    @pytest.mark.parametrize(
        ("sign", "header", "cause"),
        [
            ({"key": OTHER_KEY, "algorithm": "RS256"}, {"kid": "one"}, "Signature"),
            ({"key": OTHER_KEY, "algorithm": "RS256"}, {"kid": "two"}, "no single key"),
            ({"key": None, "algorithm": "none"}, {"kid": "one"}, "alg"),
            ({"key": "x" * 64, "algorithm": "HS256"}, {"kid": "one"}, "alg"),
            ({"key": KEY, "algorithm": "RS512"}, {"kid": "one"}, "alg"),
            ({"key": KEY, "algorithm": "PS256"}, {"kid": "one"}, "alg"),
        ],
    )
    def test_by_its_signature(self, client, issuer, sign_in_with, refused, sign, header, cause):
        issuer.sign, issuer.header = sign, header
        refused(sign_in_with(client), cause)

    def test_another_issuer_passes_its_answer_off_as_this_one_s(self, client, issuer, leave, come_back, refused):
        refused(come_back(client, leave(client), iss="https://evil.example"), "another issuer")
        assert "/token" not in issuer.asked

    def test_an_issuer_that_promises_its_name_has_to_give_it(self, client, issuer, leave, come_back, refused):
        path = "/.well-known/openid-configuration"
        issuer.pages[path] = {**issuer.answer(path, {}), "authorization_response_iss_parameter_supported": True}
        refused(come_back(client, leave(client)), "another issuer")
        come_back(client, leave(client), iss=issuer.url)
        assert is_signed_in(client)

    def test_the_answer_of_somebody_else_s_flow(self, client, issuer, leave, refused):
        """Login CSRF: an attacker has a victim come back with the attacker's own answer."""
        url = leave(Client())
        leave(client)
        refused(client.get(CALLBACK, issuer.authorize(url)), "No such flow")

    def test_without_a_flow(self, client, issuer, refused):
        refused(client.get(CALLBACK, {"code": "x", "state": "y"}), "No such flow")

    def test_a_flow_that_is_over(self, client, issuer, leave, come_back, refused):
        url = leave(client)
        ProviderFlow.objects.update(created_at="2020-01-01T00:00:00Z")
        refused(come_back(client, url), "No such flow")

    def test_an_answer_counts_once(self, client, issuer, leave, caplog):
        answer = issuer.authorize(leave(client))
        cookie = client.cookies["__Host-provider"].value
        assert client.get(CALLBACK, answer).headers["Location"] == "/"
        thief = Client()
        thief.cookies["__Host-provider"] = cookie
        assert thief.get(CALLBACK, answer).headers["Location"] == reverse("login")
        assert "This sign-in has expired or was already used." in thief.get(reverse("login")).content.decode()
        assert issuer.asked.count("/token") == 1

    @pytest.mark.parametrize("error", ["access_denied", "user_cancelled_authorize"])
    def test_whoever_cancels_is_back_at_the_sign_in(self, client, issuer, leave, refused, error):
        state = parse_qs(urlsplit(leave(client)).query)["state"][0]
        refused(client.get(CALLBACK, {"error": error, "state": state}), error)
        assert "You cancelled signing in with Acme." in client.get(reverse("login")).content.decode()

    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
    @pytest.mark.parametrize(
        "page",
        [
            (500, b""),
            (302, b""),
            (200, b"<html>"),
            (200, b"[" * 100_000),
            (200, b" " * 300_000),
            (200, b"[1]"),
            (200, b"{}"),
            (200, b'{"keys": [{"kid": "one", "kty": "RSA"}, 7], "id_token": 7}'),
        ],
    )
    def test_whatever_the_provider_answers(self, client, issuer, leave, come_back, path, page):
        issuer.pages[path] = page
        if path.startswith("/.well"):
            response = client.post(reverse("provider_login", kwargs={"name": "acme"}))
        else:
            response = come_back(client, leave(client))
        assert response.headers["Location"] == reverse("login")
        assert "/elsewhere" not in issuer.asked and not is_signed_in(client)


class TestFormPost:
    def test_what_is_posted_waits_for_the_cookie(self, client, issuer, settings, leave):
        settings.PROVIDERS[0]["response_mode"] = "form_post"
        url = leave(client)
        answer = issuer.authorize(url)
        assert parse_qs(urlsplit(url).query)["response_mode"] == ["form_post"]
        posted = Client(enforce_csrf_checks=True).post(CALLBACK, answer)  # without a cookie, as SameSite has it
        assert (posted.status_code, posted.headers["Location"]) == (303, CALLBACK)
        assert not is_signed_in(client)
        client.get(CALLBACK)
        assert is_signed_in(client)

    def test_an_answer_to_no_flow_leaves_no_row(self, client, issuer, settings):
        settings.PROVIDERS[0]["response_mode"] = "form_post"
        assert client.post(CALLBACK, {"code": "x", "state": "y"}).status_code == 303
        assert not ProviderFlow.objects.exists()

    def test_a_provider_that_answers_in_the_url_posts_nothing(self, client, issuer):
        assert client.post(CALLBACK, {"code": "x"}).status_code == 404
