"""Tokens from outside, with the site's keys, settings and rows. tests/security tries all that a cookie may hold."""

import json
import logging
from dataclasses import replace
from uuid import uuid4

import pytest
from django.test import Client

from tests.conftest import PASSWORD
from tests.security.forging import altered, members
from tests.tokens.clock import jar
from tokens import verification
from tokens.core.exceptions import InvalidToken
from tokens.core.keys import derive
from tokens.models import RefreshToken

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

ACCESS, REFRESH = "__Host-access", "__Host-refresh"
SHAPE = "The token is not three parts of the base64url alphabet."
READERS = {ACCESS: verification.verify_access, REFRESH: verification.verify_refresh}


@pytest.fixture
def said(caplog):
    """`said()`: level and message of what the log has about tokens."""
    caplog.set_level(logging.DEBUG, logger="tokens")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "tokens"]


@pytest.fixture
def tokens(bob, signed_in):
    """The two tokens that Bob's browser holds, by the names of their cookies."""
    return dict(zip((ACCESS, REFRESH), jar(signed_in(bob)).values(), strict=True))


@pytest.fixture
def again(tokens, settings):
    """`again(name, **claims)`: that token with other claims, signed by the site's key."""
    return lambda name, **claims: altered(tokens[name], derive(settings.SECRET_KEY), payload=claims)


def name_by(url="/who/", **tokens):
    """Return whom an open page takes the visitor for, who brings these tokens; it sets no cookie."""
    client = Client()
    header = "; ".join(f"__Host-{kind}={token}" for kind, token in tokens.items())
    response = client.get(url, HTTP_COOKIE=header)
    assert response.status_code == 200 and not client.cookies
    return response.content.decode()


@pytest.mark.parametrize("name", READERS)
class TestVerify:
    def test_a_subject_is_a_key_in_its_one_form(self, bob, again, name):
        for sub, sentence in {
            str(bob.pk).upper(): "The subject is not a key in its canonical form.",
            bob.pk.hex: "The subject is not a key in its canonical form.",
            "bob": "The subject is not a key.",
            "9" * 400: "The subject is not a key.",
        }.items():
            with pytest.raises(InvalidToken) as caught:
                READERS[name](again(name, sub=sub))
            assert str(caught.value) == sentence

    def test_the_secret_itself_is_not_the_key(self, tokens, name, settings):
        key = replace(derive(settings.SECRET_KEY), secret=settings.SECRET_KEY.encode())
        with pytest.raises(InvalidToken, match=r"^The signature does not fit\.$"):
            READERS[name](altered(tokens[name], key))

    def test_a_site_whose_own_name_changes_signs_everybody_out(self, tokens, name, settings):
        READERS[name](tokens[name])
        settings.TOKENS_ISSUER = "https://sojourn.example"
        with pytest.raises(InvalidToken, match=r"^The issuer is not this site\.$"):
            READERS[name](tokens[name])

    def test_a_fallback_key_is_good_and_what_is_handed_out_is_signed_by_the_new_one(self, tokens, name, settings):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "a new secret of fifty letters, as good as the old one"
        client = Client()
        assert client.get("/who/", HTTP_COOKIE=f"{name}={tokens[name]}").content == b"bob"
        kids = {members(given, 0)["kid"] for given in jar(client).values()}
        assert kids == ({derive(settings.SECRET_KEY).kid} if name == REFRESH else set())
        settings.SECRET_KEY_FALLBACKS = []
        with pytest.raises(InvalidToken, match=r"^The key is not on the ring\.$"):
            READERS[name](tokens[name])


class TestVerifyAccess:
    def test_a_claim_about_the_user_fits_its_field(self, again):
        for claims in ({"is_staff": "maybe"}, {"email_verified_at": "yesterday"}):
            with pytest.raises(InvalidToken, match=r"^A claim about the user does not fit its field\.$"):
                verification.verify_access(again(ACCESS, **claims))

    def test_what_was_remembered_is_forgotten_with_the_settings(self, tokens, settings):
        verification.verify_access(tokens[ACCESS])
        hits = verification.remembered().hits
        verification.verify_access(tokens[ACCESS])
        assert verification.remembered().hits == hits + 1
        settings.TOKENS_ISSUER = "https://elsewhere.example"
        assert not verification.remembered().currsize


class TestOnASite:
    @pytest.mark.parametrize("name", [ACCESS, REFRESH])
    def test_garbage_means_nobody_and_the_log_says_why_without_it(self, said, caplog, name):
        assert name_by(**{name.removeprefix("__Host-"): "garbage-of-somebody"}) == "nobody"
        assert said() == [("INFO", SHAPE)]
        assert "garbage-of-somebody" not in json.dumps([vars(record) for record in caplog.records], default=repr)

    def test_garbage_in_one_cookie_leaves_the_other_good(self, tokens):
        assert name_by(access=tokens[ACCESS], refresh="x") == "bob"
        assert Client().get("/who/", HTTP_COOKIE=f"{ACCESS}=x; {REFRESH}={tokens[REFRESH]}").content == b"bob"

    @pytest.mark.parametrize("url", ["/who-async/", "/guarded/", "/address/"])
    def test_garbage_means_nobody_on_every_kind_of_page(self, url):
        assert name_by(url, access="a.b.c", refresh="a.b.c") == "nobody"

    def test_a_page_for_machines_does_not_look(self, said):
        assert name_by("/machine/", access="a.b.c", refresh="a.b.c") == "nobody"
        assert said() == []

    def test_one_that_has_merely_expired_is_not_told_of(self, again, said):
        assert name_by(access=again(ACCESS, exp=1)) == "nobody"
        assert said() == []

    def test_one_of_the_future_is(self, again, said):
        assert name_by(access=again(ACCESS, iat=2**40, exp=2**41)) == "nobody"
        assert said() == [("INFO", "The token was made in the future.")]


class TestTheRow:
    def test_of_another_person_is_nobodys(self, alice, signed_in, again):
        """Signed by us, of a row that is live, but not this person's."""
        theirs = verification.verify_refresh(jar(signed_in(alice))["refresh"])
        assert name_by(refresh=again(REFRESH, sid=theirs.sid)) == "nobody"
        assert name_by(refresh=again(REFRESH, sid=theirs.sid, jti=theirs.jti)) == "nobody"
        assert name_by("/guarded/", access=again(ACCESS, sid=theirs.sid)) == "nobody"
        assert RefreshToken.objects.live().count() == 2

    def test_that_never_was_is_nobodys(self, again):
        assert name_by(refresh=again(REFRESH, sid=str(uuid4()))) == "nobody"
        assert name_by("/guarded/", access=again(ACCESS, sid=str(uuid4()))) == "nobody"

    def test_of_a_person_who_never_was_is_nobodys(self, again):
        assert name_by("/guarded/", access=again(ACCESS, sub=str(uuid4()))) == "nobody"
        assert name_by(refresh=again(REFRESH, sub=str(uuid4()))) == "nobody"

    def test_that_has_ended_is_nobodys(self, tokens):
        RefreshToken.objects.get().revoke(RefreshToken.Reason.ENDED)
        assert name_by(access=tokens[ACCESS], refresh=tokens[REFRESH]) == "nobody"

    def test_of_a_deleted_person_opens_nothing_to_another_with_their_name(self, bob, tokens, django_user_model):
        bob.delete()
        django_user_model.objects.create_user("bob", "bob@example.org", PASSWORD)
        assert name_by(access=tokens[ACCESS], refresh=tokens[REFRESH]) == "nobody"
