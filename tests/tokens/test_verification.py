"""What the cookies bring, over HTTP: whatever it is, an open page answers, and the log-in works."""

import json
import logging
from base64 import urlsafe_b64encode
from dataclasses import replace
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.conftest import PASSWORD
from tests.tokens.clock import jar
from tests.tokens.forge import GONE, altered, base64url, part, raw, signed
from tokens import issuing, verification
from tokens.conf import conf
from tokens.core import jwt
from tokens.core.keys import derive, derived_ring
from tokens.models import RefreshToken

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

ACCESS, REFRESH = "__Host-access", "__Host-refresh"
SHAPE = "The token is not three parts of the base64url alphabet."
TYPE = "The token is of another type."
KEY = "The key is not on the ring."
SUBJECT = "The subject is not a key."
CANONICAL = "The subject is not a key in its canonical form."

NONE = urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
GARBAGE = [
    ("x", SHAPE),
    (".", SHAPE),
    ("..", SHAPE),
    ("a.b", SHAPE),
    ("null", SHAPE),
    ("%00", SHAPE),
    ('"a.b.c"', SHAPE),
    ("a.b.c.d", SHAPE),
    ("a.b.c.d.e", SHAPE),
    ("a.b.c=", SHAPE),
    ("' OR 1=1 --", SHAPE),
    ("<script>alert(1)</script>", SHAPE),
    ("../../etc/passwd", SHAPE),
    ("Zoë", SHAPE),
    ("\u2000a.b.c", SHAPE),
    ("a" * 2048, SHAPE),
    (f"{NONE}..", SHAPE),
    ("a" * 2049, "The token is longer than 2,048 characters."),
    ("a.b." + "c" * 100_000, "The token is longer than 2,048 characters."),
    ("a.b.c", "A part is not base64url."),
    ("ab.b.c", "A part is base64url, but not in its one canonical form."),
    ("AAAA.AAAA.AAAA", "The header is not strict JSON in UTF-8."),
    ("____.____.____", "The header is not strict JSON in UTF-8."),
    ("bnVsbA.bnVsbA.bnVsbA", "The header is not a JSON object."),
    (f"{NONE}.e30.AAAA", "The header's members are not exactly alg, kid and typ."),
]


@pytest.fixture
def said(caplog):
    """`said()`: the sentences that the log has of the tokens, all levels."""
    caplog.set_level(logging.DEBUG, logger="tokens")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "tokens"]


@pytest.fixture
def visit(said, caplog):
    """`visit(header)` asks an open page with this Cookie header, and sees that the page minds nothing.

    Returns whom it took the visitor for. What came along is in no record of the log, whatever its logger.
    """

    def visit(header, url="/who/"):
        client = Client()
        response = client.get(url, HTTP_COOKIE=octets(header))
        assert response.status_code == 200
        assert not client.cookies
        for value in (cookie.partition("=")[2] for cookie in header.split(";")):
            assert len(value) < 12 or value not in repr([vars(record) for record in caplog.records])
        return response.content.decode()

    return visit


def octets(header):
    """As a WSGI server hands it over."""
    return header.encode().decode("latin-1")


@pytest.fixture
def tokens(bob, signed_in):
    """The two tokens that Bob's browser holds."""
    return jar(signed_in(bob))


@pytest.fixture
def access(tokens):
    return tokens["access"]


@pytest.fixture
def refresh(tokens):
    return tokens["refresh"]


@pytest.fixture
def key(settings):
    return derive(settings.SECRET_KEY)


def rewritten(token, ring=None, **others):
    """A real token again with a few claims, an issuer or an audience changed."""
    where = {"issuer": others.pop("issuer", conf.issuer), "ring": ring or conf.key_ring}
    if '"access"' in part(token, 1).decode():
        claims = replace(verification.verify_access(token), **{"user": {}}, **others)
        return jwt.write_access(claims, audience=conf.audience, **where)
    return jwt.write_refresh(replace(verification.verify_refresh(token), **others), **where)


class TestGarbage:
    @pytest.mark.parametrize("name", [ACCESS, REFRESH])
    @pytest.mark.parametrize(("value", "sentence"), GARBAGE, ids=lambda text: ascii(text)[:30])
    def test_means_nobody_and_the_log_says_why(self, visit, said, name, value, sentence):
        assert visit(f"{name}={value}") == "nobody"
        assert said() == [sentence]

    @pytest.mark.parametrize("value", [value for value, _ in GARBAGE], ids=lambda text: ascii(text)[:30])
    def test_in_both_cookies_does_not_keep_anybody_from_logging_in(self, bob, value):
        client = Client()
        header = octets(f"{ACCESS}={value}; {REFRESH}={value}")
        response = client.post("/log-in/", {"username": "bob", "password": PASSWORD}, HTTP_COOKIE=header)
        assert response.content.decode() == "bob"
        assert client.get("/who/").content.decode() == "bob"

    @pytest.mark.parametrize("value", [value for value, _ in GARBAGE], ids=lambda text: ascii(text)[:30])
    def test_does_not_keep_anybody_from_logging_out(self, value):
        response = Client().post("/log-out/", HTTP_COOKIE=octets(f"{ACCESS}={value}; {REFRESH}={value}"))
        assert response.content.decode() == "bye"

    def test_in_one_cookie_leaves_the_other_good(self, access, refresh, said):
        client = Client()
        assert client.get("/who/", HTTP_COOKIE=f"{ACCESS}={access}; {REFRESH}=x").content.decode() == "bob"
        assert client.get("/who/", HTTP_COOKIE=f"{ACCESS}=x; {REFRESH}={refresh}").content.decode() == "bob"
        assert said() == [SHAPE, "A child was handed out."]

    @pytest.mark.parametrize("url", ["/who-async/", "/guarded/", "/address/"])
    def test_means_nobody_on_every_kind_of_page(self, visit, url):
        assert visit(f"{ACCESS}=a.b.c; {REFRESH}=a.b.c", url) == "nobody"

    def test_is_not_looked_at_by_a_page_for_machines(self, visit, said):
        assert visit(f"{ACCESS}=a.b.c; {REFRESH}=a.b.c", "/machine/") == "nobody"
        assert said() == []

    def test_sends_to_the_log_in_from_a_closed_page(self, db):
        response = Client().get("/closed/", HTTP_COOKIE=f"{ACCESS}=a.b.c")
        assert (response.status_code, response.url) == (302, "/log-in/?next=/closed/")


class TestTheHeader:
    @pytest.mark.parametrize("noise", ["naïve=Zoë", "\u2000__Host-access=x", "=", ";;;", "a" * 100_000, "\ufffd=\x7f"])
    def test_other_cookies_of_any_octets_do_no_harm(self, visit, access, noise):
        assert visit(f"{noise}; {ACCESS}={access}; {noise}") == "bob"

    def test_octets_that_are_no_utf_8_do_no_harm(self, access):
        header = f"a=\xff\xfe; {ACCESS}={access}; \xa0=\x80"
        assert Client().get("/who/", HTTP_COOKIE=header).content.decode() == "bob"

    @pytest.mark.parametrize("space", ["\u2000", "\u00a0", "\u3000", "\t"], ids=ascii)
    def test_a_forged_prefix_is_nobody(self, visit, said, access, refresh, space):
        assert visit(f"{space}{ACCESS}={access}; {space}{REFRESH}={refresh}") == "nobody"
        assert said() == []

    def test_two_of_one_name_are_nobody(self, visit, said, access):
        assert visit(f"{ACCESS}={access}; {ACCESS}={access}") == "nobody"
        assert said() == []

    def test_what_a_client_deleted_is_nobody(self, visit, said):
        assert visit(f'{ACCESS}=""; {REFRESH}=') == "nobody"
        assert said() == [SHAPE]


class TestTheOtherKind:
    def test_refresh_does_not_pass_for_access(self, visit, said, refresh):
        assert visit(f"{ACCESS}={refresh}") == "nobody"
        assert said() == [TYPE]

    def test_access_does_not_pass_for_refresh(self, visit, said, access):
        assert visit(f"{REFRESH}={access}") == "nobody"
        assert said() == [TYPE]

    def test_exchanged_they_are_nobody(self, visit, said, access, refresh):
        assert visit(f"{ACCESS}={refresh}; {REFRESH}={access}") == "nobody"
        assert said() == [TYPE, TYPE]


@pytest.mark.parametrize("name", [ACCESS, REFRESH])
class TestFromElsewhere:
    @pytest.fixture
    def token(self, name, tokens):
        return tokens["access" if name == ACCESS else "refresh"]

    def test_another_secret(self, visit, said, name, token):
        assert visit(f"{name}={rewritten(token, derived_ring('another secret'))}") == "nobody"
        assert said() == [KEY]

    def test_another_secret_under_the_name_of_our_key(self, visit, said, name, token):
        assert visit(f"{name}={altered(token, derive('another secret'))}") == "nobody"
        assert said() == ["The signature does not fit."]

    def test_the_secret_itself_is_not_the_key(self, visit, said, name, token, settings, key):
        assert visit(f"{name}={altered(token, replace(key, secret=settings.SECRET_KEY.encode()))}") == "nobody"
        assert said() == ["The signature does not fit."]

    def test_a_fallback_key_is_good(self, name, token, settings):
        """The key was changed: what the old one signed is good, and what is handed out is signed by the new one."""
        old = settings.SECRET_KEY
        settings.SECRET_KEY_FALLBACKS = [old]
        settings.SECRET_KEY = "a new secret of fifty letters, as good as the old one"
        client = Client()
        assert client.get("/who/", HTTP_COOKIE=f"{name}={token}").content.decode() == "bob"
        kids = {json.loads(part(given, 0))["kid"] for given in jar(client).values()}
        assert kids <= {derive(settings.SECRET_KEY).kid}
        settings.SECRET_KEY_FALLBACKS = []
        assert Client().get("/who/", HTTP_COOKIE=f"{name}={token}").content.decode() == "nobody"

    def test_another_issuer(self, visit, said, name, token):
        assert visit(f"{name}={rewritten(token, issuer='https://neighbour.example')}") == "nobody"
        assert said() == ["The issuer is not this site."]

    @pytest.mark.parametrize("audience", [GONE, None, "https://neighbour.example", ["http://testserver"], []], ids=repr)
    def test_another_audience(self, visit, said, name, token, key, audience):
        assert visit(f"{name}={altered(token, key, payload={'aud': audience})}") == "nobody"
        assert said() == ["The audience is not exactly ours."]

    def test_a_site_whose_own_name_changes_signs_everybody_out(self, visit, said, name, token, settings):
        settings.TOKENS_ISSUER = "https://sojourn.example"
        assert visit(f"{name}={token}") == "nobody"
        assert said() == ["The issuer is not this site."]

    @pytest.mark.parametrize("kid", ["' OR 1=1 --", "../../dev/null", "", "0", "a" * 500, "key\x00"], ids=ascii)
    def test_a_key_of_any_name(self, visit, said, name, token, key, kid):
        assert visit(f"{name}={altered(token, key, header={'kid': kid})}") == "nobody"
        assert said() == [KEY]

    def test_no_algorithm(self, visit, said, name, token):
        header = json.loads(part(token, 0)) | {"alg": "none"}
        payload = token.split(".")[1]
        unsigned = f"{base64url(json.dumps(header).encode())}.{payload}"
        assert visit(f"{name}={unsigned}.") == "nobody"
        assert visit(f"{name}={unsigned}.AAAA") == "nobody"
        assert said() == [SHAPE, "The algorithm is not the key's."]

    def test_a_damaged_signature(self, visit, said, name, token):
        head, _, signature = token.rpartition(".")
        assert visit(f"{name}={head}.{signature[::-1]}") == "nobody"
        assert said()[0] in ("The signature does not fit.", "The token cannot be decoded.")

    def test_the_signature_of_another_of_our_tokens(self, visit, said, name, token, tokens):
        [other] = [given for given in tokens.values() if given != token]
        assert visit(f"{name}={token.rpartition('.')[0]}.{other.rpartition('.')[2]}") == "nobody"
        assert said() == ["The signature does not fit."]

    def test_made_in_the_future(self, visit, said, name, token, key):
        payload = json.loads(part(token, 1))
        late = {"iat": payload["iat"] + 3600, "exp": payload["exp"] + 3600}
        assert visit(f"{name}={altered(token, key, payload=late)}") == "nobody"
        assert said() == ["The token was made in the future."]

    @pytest.mark.parametrize(
        "octets", [b"", b"[]", b"[" * 1000, b"\xff", b"null", b'{"sub":NaN}', b'{"a":1,"a":1}', b"\0" * 1000]
    )
    def test_a_payload_of_any_octets_that_the_real_key_signed(self, visit, said, name, token, key, octets):
        assert visit(f"{name}={raw(part(token, 0), octets or b' ', key)}") == "nobody"
        assert said()[0] in ("The payload is not strict JSON in UTF-8.", "The payload is not a JSON object.")

    def test_an_empty_payload(self, visit, said, name, token, key):
        assert visit(f"{name}={signed(token.split('.')[0], '', key)}") == "nobody"
        assert said() == [SHAPE]


@pytest.mark.parametrize("name", [ACCESS, REFRESH])
class TestTheSubject:
    """Well signed, all of them: nobody is known by two names, and none of them reaches the database."""

    @pytest.fixture
    def forged(self, name, tokens, key):
        """`forged(sub)`: a Cookie header with a good token of this subject."""
        token = tokens["access" if name == ACCESS else "refresh"]
        return lambda sub: f"{name}={altered(token, key, payload={'sub': sub})}"

    @pytest.mark.parametrize("form", [" {}", "{} ", "0{}", "+{}", "{}_0", "{}\n", "\u2000{}"], ids=ascii)
    def test_another_form_of_the_right_key(self, visit, said, bob, forged, form):
        assert visit(forged(form.format(bob.pk))) == "nobody"
        assert said() == [CANONICAL]

    def test_digits_of_another_script(self, visit, said, bob, forged):
        assert visit(forged("".join(chr(0xFF10 + int(digit)) for digit in str(bob.pk)))) == "nobody"
        assert said() == [CANONICAL]

    @pytest.mark.parametrize(
        "sub", ["bob", "1 OR 1=1", "1; DROP TABLE accounts_user", "None", "1.0", "\x00", "\ud800", "{}"], ids=ascii
    )
    def test_no_key(self, visit, said, forged, sub):
        assert visit(forged(sub)) == "nobody"
        assert said()[0] in (SUBJECT, "The payload is not strict JSON in UTF-8.")

    @pytest.mark.parametrize("sub", ["9" * 20, "9" * 400, "-" + "9" * 400], ids=len)
    @pytest.mark.parametrize("url", ["/who/", "/guarded/"])
    def test_a_number_that_no_key_can_be(self, visit, forged, sub, url):
        assert visit(forged(sub), url) == "nobody"

    def test_a_person_who_never_was(self, visit, forged, said, name):
        assert visit(forged("1000000"), "/guarded/") == "nobody"


class TestTheRow:
    def test_the_row_of_another_person_is_nobodys(self, alice, bob, signed_in, visit, refresh, access):
        """Signed by us, of a row that is live, but not this person's."""
        theirs = verification.verify_refresh(jar(signed_in(alice))["refresh"])
        assert visit(f"{REFRESH}={rewritten(refresh, sid=theirs.sid)}") == "nobody"
        assert visit(f"{REFRESH}={rewritten(refresh, sid=theirs.sid, jti=theirs.jti)}") == "nobody"
        assert visit(f"{ACCESS}={rewritten(access, sid=theirs.sid)}", "/guarded/") == "nobody"
        assert RefreshToken.objects.live().count() == 2

    def test_a_row_that_never_was_is_nobodys(self, visit, refresh, access):
        assert visit(f"{REFRESH}={rewritten(refresh, sid=str(uuid4()))}") == "nobody"
        assert visit(f"{ACCESS}={rewritten(access, sid=str(uuid4()))}", "/guarded/") == "nobody"

    def test_a_row_that_has_ended_is_nobodys(self, visit, refresh, access):
        RefreshToken.objects.get().revoke(RefreshToken.Reason.ENDED)
        assert visit(f"{ACCESS}={access}; {REFRESH}={refresh}") == "nobody"

    def test_a_person_who_was_deleted_is_nobody(self, bob, visit, refresh, access):
        bob.delete()
        for page in ("/who/", "/guarded/", "/address/", "/who-async/"):
            assert visit(f"{ACCESS}={access}; {REFRESH}={refresh}", page) == "nobody"

    def test_the_key_of_a_deleted_person_opens_nothing_to_another_with_their_name(
        self, bob, visit, refresh, access, django_user_model
    ):
        bob.delete()
        django_user_model.objects.create_user("bob", "bob@example.org", PASSWORD)
        assert visit(f"{ACCESS}={access}; {REFRESH}={refresh}") == "nobody"

    def test_a_person_deleted_behind_djangos_back_is_nobody_and_no_error(self, bob):
        row = RefreshToken.objects.start(bob)
        first = issuing.root_refresh(row)
        client = Client()
        client.cookies[ACCESS] = jwt.write_access(
            issuing.access_for(row, first, new=False), ring=conf.key_ring, issuer=conf.issuer, audience=conf.audience
        )
        client.cookies[REFRESH] = jwt.write_refresh(first, ring=conf.key_ring, issuer=conf.issuer)
        RefreshToken.objects.update(user=None)  # or the database would not have it
        get_user_model().objects.filter(pk=bob.pk)._raw_delete("default")
        assert client.get("/who/").content.decode() == "bob"
        for url in ("/address/", "/guarded/", "/who-async/", "/who/"):
            response = client.get(url, follow=True)
            assert (response.status_code, response.content.decode()) == (200, "nobody"), url


class TestTheLog:
    def test_a_good_sign_in_says_nothing_alarming(self, visit, caplog, access):
        assert visit(f"{ACCESS}={access}") == "bob"
        assert not [record for record in caplog.records if record.levelno > logging.INFO]

    def test_a_refused_token_is_told_at_info(self, visit, caplog, said):
        visit(f"{ACCESS}=a.b.c")
        assert [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "tokens"] == [
            ("INFO", "A part is not base64url.")
        ]

    def test_one_that_has_merely_expired_is_not_told_at_all(self, visit, said, access):
        assert visit(f"{ACCESS}={rewritten(access, exp=1)}") == "nobody"
        assert said() == []
