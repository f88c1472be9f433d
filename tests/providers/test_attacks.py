"""Sign-ins by a provider under attack: odd answers, strangers, and others who act at the same time."""

import json
from threading import Event
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import transaction
from django.urls import reverse

from accounts.email import ownership, verification
from accounts.email.tokens import link_token
from accounts.mails import links
from accounts.models import EmailVerification, Identity, ProviderFlow, User
from accounts.providers import identities, oidc
from tests.conftest import PASSWORD
from tests.providers.conftest import CALLBACK, is_signed_in
from tests.providers.issuer import KEY
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db

OURS = ("fed", "hwk", "mfa", "otp", "pwd", "rba", "swk", "user")
LONG_EMAIL = "x@" + ".".join([60 * "a"] * 5)
Algorithm = jwt.algorithms.RSAAlgorithm


class TestOddAnswers:
    """None fails, so that a provider makes no error of ours."""

    @pytest.mark.parametrize(
        "claims",
        [
            *({name: value} for name in ("exp", "iat", "nbf") for value in (float("inf"), float("nan"), 10**400, [])),
            *({name: "\ud800"} for name in ("nonce", "sub", "at_hash", "azp", "email")),
            *({"email": email} for email in (["x@y.example"], LONG_EMAIL)),
            *({"email": email} for email in ("\u212a@x.example", '"\x01"@x.example', "=?utf-8?q?=41?=@x.example")),
        ],
    )
    def test_claims(self, client, issuer, sign_in_with, claims):
        issuer.claims |= claims
        assert sign_in_with(client).headers["Location"] in (reverse("login"), "/")
        if "exp" not in claims:
            assert not Identity.objects.exists()

    @pytest.mark.parametrize(
        "changed",
        [
            json.loads(Algorithm.to_jwk(KEY)),  # with its private part
            {"kty": "oct", "k": "eA"},
            {"kty": ["RSA"]},
            {"n": 1},
            {"n": "\ud800"},
            {"n": "_" + "A" * 40_001},
            {"e": "AQ"},
        ],
    )
    def test_keys(self, client, issuer, sign_in_with, changed):
        issuer.pages["/keys"] = {"keys": [{**issuer.answer("/keys", {})["keys"][0], **changed}]}
        assert sign_in_with(client).headers["Location"] == reverse("login")

    @pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
    def test_a_short_key_signs_nothing(self, client, issuer, sign_in_with):
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
        issuer.sign = {"key": short, "algorithm": "RS256"}
        issuer.pages["/keys"] = {"keys": [{**json.loads(Algorithm.to_jwk(short.public_key())), "kid": "one"}]}
        assert sign_in_with(client).headers["Location"] == reverse("login")

    def test_a_document_of_another_issuer(self, client, issuer, caplog):
        path = "/.well-known/openid-configuration"
        issuer.pages[path] = {**issuer.answer(path, {}), "issuer": "https://evil.example"}
        page = client.post(reverse("provider_login", kwargs={"name": "acme"}))
        assert page.headers["Location"] == reverse("login") and "another issuer" in caplog.records[-1].cause


class TestStrangers:
    """What anybody can send."""

    def test_a_page_to_come_back_to_holds_no_nul(self, client, issuer, sign_in_with):
        assert sign_in_with(client, next="/a\0b").headers["Location"] == "/"

    @pytest.mark.parametrize(
        "odd", [{"code": "x\0"}, {"state": "\0"}, {"code": ["x", "y"]}, {"iss": ["x", "x"]}, {"code": "x" * 4097}]
    )
    def test_a_malformed_answer_is_none(self, client, issuer, settings, leave, odd):
        settings.PROVIDERS[0]["response_mode"] = "form_post"
        leave(client)
        answer: dict[str, Any] = {"code": "x", "state": ProviderFlow.objects.get().pk, **odd}
        assert Client().post(CALLBACK, answer).status_code == 303
        assert ProviderFlow.objects.get().answer is None


class TestTrustedIssuer:
    def test_all_that_it_can_say_of_an_authentication_fits_beside_ours(self):
        longest = RefreshToken._meta.get_field("amr").max_length
        assert len(" ".join({*OURS, *oidc.AMR})) <= longest

    @pytest.mark.parametrize("acr", ["\u00e9", "a\n", "x" * 33, 7, None, ["x"]])
    def test_a_class_that_is_none_is_left_out(self, client, issuer, settings, sign_in_with, acr):
        settings.PROVIDERS[0]["trusted_for_authentication"] = True
        issuer.claims |= {"acr": acr, "amr": [["pwd"], {}, None, *1000 * ["pwd"], "x y"]}
        sign_in_with(client)
        row = RefreshToken.objects.get()
        assert (row.acr, row.amr) == ("", "fed pwd")


class Impersonation:
    """What packages do who show administrators the pages of somebody else: the session stays theirs."""

    shown: User | None = None

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if self.shown:
            request.user = self.shown
        return self.get_response(request)


def test_who_is_shown_the_pages_of_somebody_else_adds_no_way_in_for_them(
    client, alice, bob, issuer, settings, sign_in, leave, come_back, monkeypatch
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Impersonation"]
    sign_in(client, alice)
    url = leave(client, reverse("provider_add", kwargs={"name": "acme"}))
    monkeypatch.setattr(Impersonation, "shown", bob)
    come_back(client, url)
    assert not Identity.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestRaces:
    ROUNDS = 3

    def browsers(self, issuer, leave, count=2):
        """Browsers in which the same person comes back from the provider, and what each sends."""
        clients = [Client() for _ in range(count)]
        return [(client, issuer.authorize(leave(client))) for client in clients]

    def test_of_two_that_bring_one_answer_one_signs_in(self, issuer, leave):
        for _ in range(self.ROUNDS):
            [(client, answer)] = self.browsers(issuer, leave, 1)
            thief = Client()
            thief.cookies["__Host-provider"] = client.cookies["__Host-provider"].value
            together([lambda c=c, a=answer: c.get(CALLBACK, a) for c in (client, thief)])
            assert is_signed_in(client) + is_signed_in(thief) == 1
        assert issuer.asked.count("/token") == self.ROUNDS

    def test_one_who_signs_up_twice_at_once_has_one_account(self, issuer, leave):
        for number in range(self.ROUNDS):
            issuer.claims |= {"sub": str(number), "email": f"carol{number}@example.org"}
            browsers = self.browsers(issuer, leave)
            answers = together([lambda c=c, a=a: c.get(CALLBACK, a) for c, a in browsers])
            assert {answer.status_code for answer in answers} == {302}
            assert any(is_signed_in(client) for client, _ in browsers)
            assert Identity.objects.get(subject=str(number)).user == User.objects.get(
                email=f"carol{number}@example.org"
            )
        assert User.objects.count() == self.ROUNDS

    def test_of_the_last_two_ways_in_one_stays(self, client, issuer, sign_in_with):
        sign_in_with(client)
        user = User.objects.get()
        for number in range(self.ROUNDS):
            about = {"user": user, "provider": "acme", "issuer": issuer.url}
            Identity.objects.create(key=str(number), subject=str(number), **about)
            urls = [reverse("provider_remove", kwargs={"pk": each.pk}) for each in Identity.objects.all()]
            together([lambda u=url: client.post(u) for url in urls])
            assert Identity.objects.count() == 1

    def test_an_account_elsewhere_is_added_to_one_user_or_signs_up(self, alice, issuer, sign_in, leave):
        for number in range(self.ROUNDS):
            issuer.claims |= {"sub": str(number), "email": f"carol{number}@example.org"}
            owner = Client()
            sign_in(owner, alice)
            answer = issuer.authorize(leave(owner, reverse("provider_add", kwargs={"name": "acme"})))
            together(
                [lambda c=c, a=a: c.get(CALLBACK, a) for c, a in [(owner, answer), *self.browsers(issuer, leave, 1)]]
            )
            assert Identity.objects.filter(subject=str(number)).count() == 1

    def test_a_stranger_who_confirms_the_email_meanwhile_waits_or_is_waited_for(
        self, client, issuer, leave, rf, monkeypatch
    ):
        """Each would wait for the other if the sign-up took the email first, and then the stranger's lock."""
        squatter = User.objects.create_user("squatter", issuer.claims["email"], PASSWORD)
        asked = EmailVerification.objects.create(user=squatter, email=squatter.email)
        answer, locked, claimed = issuer.authorize(leave(client)), Event(), Event()

        def confirm():
            with transaction.atomic():
                links.lock(EmailVerification.objects.all(), asked.pk)
                locked.set()
                claimed.wait(1)
                request = rf.get("/")
                request.session = {}
                return verification.confirm_by_link(request, asked.pk, link_token(asked))

        def come_back():
            locked.wait()
            return client.get(CALLBACK, answer)

        def claim(*args):
            ownership.claim(*args)
            claimed.set()

        monkeypatch.setattr(identities, "claim", claim)
        _, answered = together([confirm, come_back])
        assert answered.headers["Location"] == reverse("login")
        assert User.objects.get().email_verified_at

    @pytest.mark.parametrize("model", [User, Identity])
    def test_whoever_is_deleted_or_loses_the_provider_meanwhile_gets_a_plain_answer(
        self, issuer, leave, sign_in_with, model
    ):
        for number in range(self.ROUNDS):
            issuer.claims |= {"sub": str(number), "email": f"carol{number}@example.org"}
            sign_in_with(Client())
            [(client, answer)] = self.browsers(issuer, leave, 1)
            _, answered = together([model.objects.all().delete, lambda c=client, a=answer: c.get(CALLBACK, a)])
            assert answered.status_code in (302, 303)
            if model is User and not User.objects.exists():
                assert not is_signed_in(client)
