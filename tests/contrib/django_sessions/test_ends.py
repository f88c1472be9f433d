"""What ends the sessions of a user, or keeps them, means those that have not been taken over yet as well."""

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models.signals import post_save

from tests.conftest import PASSWORD
from tests.contrib.django_sessions.conftest import OLD, either_way
from tests.tokens.clock import elapse
from tokens.models import RefreshToken
from tokens.models.old_sessions import EVERYBODY, OldSessions

pytestmark = pytest.mark.urls("tests.tokens.urls")

Reason = RefreshToken.Reason


def deactivate_and_lift(bob):
    for bob.is_active in (False, True):
        bob.save()


ENDS = [
    lambda bob: RefreshToken.objects.revoke_for([bob], Reason.ENDED),
    lambda bob: call_command("endsessions", "--user", "bob"),
    lambda bob: call_command("endsessions", "--all"),
    deactivate_and_lift,
]


class TestEnds:
    """Old sessions are on no list: whoever ends all, or finds a thief, means them, too."""

    @pytest.mark.parametrize("end", ENDS)
    @pytest.mark.parametrize("moved", [True, False], ids=["one has moved", "none has moved"])
    def test_an_end_of_all_ends_those_that_have_not_moved_and_is_not_forgotten(self, bob, old, end, moved):
        here, elsewhere = old(bob), old(bob)
        if moved:
            assert here.get("/who/").content == b"bob"
        end(bob)
        elapse(10 * 24 * 3600)
        call_command("cleartokens")
        assert [browser.get("/who/").content for browser in (here, elsewhere)] == [b"nobody"] * 2
        assert not Session.objects.exists() or moved

    @pytest.mark.parametrize(
        "end",
        [
            lambda row: row.revoke(Reason.ADMIN),
            RefreshToken.objects.revoke_reused,
        ],
    )
    def test_so_does_an_administrator_who_ends_one_and_a_theft(self, bob, old, end):
        here, elsewhere = old(bob), old(bob)
        here.get("/who/")
        end(RefreshToken.objects.get())
        RefreshToken.objects.all().delete()
        assert elsewhere.get("/who/").content == b"nobody"

    def test_ending_all_others_keeps_the_session_it_is_done_in(self, alice, bob, old, signed_in, settings):
        here, elsewhere, hers = signed_in(bob), old(bob), old(alice)
        settings.ROOT_URLCONF = "project.urls"
        here.post("/accounts/sessions/end-others/")
        settings.ROOT_URLCONF = "tests.tokens.urls"
        assert [browser.get("/who/").content for browser in (here, elsewhere, hers)] == [b"bob", b"nobody", b"alice"]

    def test_an_end_of_everybodys_at_this_very_moment(self, bob, old):
        def end(**_):
            OldSessions.objects.end(EVERYBODY)

        post_save.connect(end, sender=RefreshToken)
        try:
            assert old(bob).get("/who/").content == b"nobody"
        finally:
            post_save.disconnect(end, sender=RefreshToken)
        assert not RefreshToken.objects.live().exists()

    def test_it_is_forgotten_once_the_site_has_moved(self, bob, settings):
        RefreshToken.objects.revoke_for([bob], Reason.ENDED)
        settings.TOKENS_ADOPT_SESSIONS = ""
        RefreshToken.objects.revoke_for([bob], Reason.ENDED)
        call_command("cleartokens")
        assert not OldSessions.objects.exists()

    @either_way
    def test_one_never_takes_the_place_of_tokens_of_somebody_else_that_have_ended(self, alice, bob, old, signed_in):
        browser = signed_in(alice)
        copy = old(bob)
        browser.cookies[OLD] = copy.cookies[OLD].value
        RefreshToken.objects.revoke_for([alice], Reason.ENDED)
        assert browser.get("/who/").content == b"nobody"
        assert copy.get("/who/").content == b"nobody"
        assert not RefreshToken.objects.for_user(bob).exists()

    @either_way
    def test_nor_does_it_end_them_where_only_an_expired_one_is_left(self, alice, bob, old, signed_in):
        browser = signed_in(alice)
        browser.cookies[OLD] = old(bob).cookies[OLD].value
        elapse(1000, browser)
        del browser.cookies["__Host-refresh"]
        assert browser.get("/who/").content == b"nobody"
        assert RefreshToken.objects.for_user(alice).live().exists()


class TestRehashed:
    """The same password hashed anew ends no old session, however often; another password does."""

    @pytest.fixture
    def browser(self, settings, bob, old):
        hashers = settings.PASSWORD_HASHERS
        for hasher in ("PBKDF2SHA1PasswordHasher", "PBKDF2PasswordHasher"):
            settings.PASSWORD_HASHERS = [f"django.contrib.auth.hashers.{hasher}", *hashers]
            if hasher == "PBKDF2SHA1PasswordHasher":
                bob.set_password(PASSWORD)
                bob.save()
                browser = old(bob)
            else:
                assert bob.check_password(PASSWORD)
        settings.PASSWORD_HASHERS = hashers
        assert bob.check_password(PASSWORD) and bob.password.startswith("argon2")
        return browser

    @either_way
    def test_the_same(self, browser):
        assert browser.get("/who/").content == b"bob"

    def test_another_even_behind_djangos_back(self, browser, bob):
        type(bob).objects.update(password=make_password("another one entirely"))
        assert browser.get("/who/").content == b"nobody"
