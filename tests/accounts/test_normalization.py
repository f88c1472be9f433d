"""What is the same to people is the same here, by whichever door it comes in: names, emails and passwords."""

import unicodedata

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.forms import UsernameForm
from accounts.models import EmailVerification, User
from accounts.security.normalization import normalize_email, username_key
from accounts.security.throttle import account_key
from tests.conftest import PASSWORD
from tests.hashers import QuickArgon2Hasher
from tokens.models import RefreshToken
from tokens.testing import Client

NAME = "\u00c9vaS\u00df\u03a3"  # ÉvaSßΣ
SPELLINGS = {
    "another case": "\u00e9vas\u1e9e\u03c3",
    "a final sigma": "\u00e9vas\u00df\u03c2",
    "an accent of its own": "E\u0301vaS\u00df\u03a3",
    "wide letters": "\u00c9\uff56\uff41S\u00df\u03a3",
    "two letters for one": "\u00c9vaSss\u03a3",
}
COMPOSED, TYPED = (unicodedata.normalize(form, "p\u00e4sswort mit \u00fc") for form in ("NFC", "NFD"))


@pytest.fixture
def eva(db):
    return User.objects.create_user(NAME, "eva@example.org", PASSWORD, email_verified_at=timezone.now())


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
class TestAUserName:
    def test_is_one_of_a_kind(self, eva, admin, browser_of, spelling):
        assert User.objects.by_login(spelling).get() == account_key(spelling) == eva
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.create_user(spelling, "other@example.org", PASSWORD)
        bob = User.objects.create_user("bob", "bob@example.org", PASSWORD)
        form = UsernameForm({"username": spelling}, request=browser_of(bob))
        assert form.errors.keys() == {"username"}
        fields = {"username": spelling, "email": "other@example.org"}
        assert admin.post("/admin/accounts/user/add/", fields).context["adminform"].form.errors

    def test_lets_in_by_every_door(self, eva, spelling):
        assert Client().post(reverse("login"), {"username": spelling, "password": PASSWORD}).status_code == 302
        sent = {"username": spelling, "password": PASSWORD}
        assert Client().post("/api/auth/login", sent, content_type="application/json").status_code == 200
        call_command("endsessions", "--user", spelling)
        assert not RefreshToken.objects.live().exists()


@pytest.mark.parametrize(
    "store",
    [
        lambda user: user.save(update_fields=["username"]),
        lambda user: User.objects.filter(pk=user.pk).update(username=user.username),
        lambda user: User.objects.bulk_update([user], ["username"]),
    ],
)
def test_the_key_of_a_user_name_follows_it_and_folds_no_further(bob, store):
    bob.username = "J\u00fcrgen"
    store(bob)
    assert User.objects.by_login("j\u00fcrgen").get() == bob
    assert not User.objects.by_login("bob").exists() and not User.objects.by_login("jurgen").exists()
    assert len({username_key(name) for name in ("\u0131", "i", "\u00e9", "e")}) == 4
    assert len(username_key("\u1ffc" * 150)) == User._meta.get_field("username_key").max_length


def test_the_key_of_a_user_name_is_compared_as_it_is_by_every_database(monkeypatch):
    key = User._meta.get_field("username_key")
    assert key.db_parameters(connection)["collation"] is None
    monkeypatch.setattr(connection, "vendor", "mysql")
    assert key.db_parameters(connection)["collation"] == "utf8mb4_bin"


class TestAnEmail:
    @pytest.mark.parametrize(
        ("host", "encoded"),
        [
            ("fa\u00df.example", "xn--fa-hia.example"),  # “fass.example” belongs to somebody else
            ("\u03b2\u03cc\u03bb\u03bf\u03c2.example", "xn--nxasmm1c.example"),
            ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "xn--mgba3gch31f060k.example"),
            ("B\u00dcCHER.example", "xn--bcher-kva.example"),
            ("\u2603.example", "\u2603.example"),  # has no encoding
            ("\u00fc" * 5000, "\u00fc" * 5000),
        ],
    )
    def test_has_the_domain_that_mail_servers_know(self, host, encoded):
        assert normalize_email(f"Ada@{host}") == f"Ada@{encoded}"

    def test_is_stored_so_however_it_comes_in(self, bob):
        bob.email = "Bob@Fa\u00df.example"
        bob.save(update_fields=["email"])
        proof = EmailVerification.objects.create(user=bob, email=bob.email, previous_email="bob@FA\u00df.example")
        assert bob.email == "Bob@xn--fa-hia.example" == proof.email
        assert proof.previous_email == "bob@xn--fa-hia.example"
        User.objects.update(email="Bob@fa\u00df.EXAMPLE")
        assert User.objects.get(email="Bob@fa\u00df.example").email == "Bob@xn--fa-hia.example"

    def test_that_no_mail_reaches_is_refused_by_every_form(self, admin):
        fields = {"username": "carol", "password1": PASSWORD, "password2": PASSWORD}
        for email in ("\u00e9va@example.org", "eva@\u2603.example"):
            assert Client().post(reverse("signup"), fields | {"email": email}).context["form"].errors, email
            page = admin.post("/admin/accounts/user/add/", fields | {"email": email})
            assert page.context["adminform"].form.errors, email


class TestAPassword:
    @pytest.mark.parametrize("other", [COMPOSED, TYPED])
    @pytest.mark.parametrize("made", ["set_password", "create_user", "acreate_user"])
    @pytest.mark.django_db(transaction=True)
    def test_is_the_same_whichever_keyboard_has_typed_it(self, made, other):
        if made == "acreate_user":
            user = async_to_sync(User.objects.acreate_user)("ada", "ada@example.org", TYPED)
        else:
            user = User.objects.create_user("ada", "ada@example.org", TYPED)
        if made == "set_password":
            user.set_password(TYPED)
        assert QuickArgon2Hasher().verify(COMPOSED, user.password)
        assert user.check_password(other) and async_to_sync(user.acheck_password)(other)

    def test_that_was_hashed_elsewhere_as_it_was_typed_is_good(self, bob):
        User.objects.update(password=QuickArgon2Hasher().encode(TYPED, "saltsaltsalt"))
        bob.refresh_from_db()
        assert bob.check_password(TYPED) and not bob.check_password(COMPOSED)

    @pytest.mark.parametrize(("password", "times"), [(COMPOSED, 1), (TYPED, 2)])
    @pytest.mark.parametrize("name", ["bob", "nobody", "keyless"])
    def test_that_is_wrong_costs_the_same_for_everybody(self, bob, hashes, client, name, password, times):
        User.objects.create_user("keyless", "keyless@example.org")
        hashes.clear()
        client.post(reverse("login"), {"username": name, "password": password})
        assert len(hashes) == times
