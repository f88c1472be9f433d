"""The log-in page: who gets in, and that it tells nobody else anything."""

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from accounts import hashers
from accounts.models import SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX
from tests.conftest import PASSWORD
from tests.hashers import QuickArgon2Hasher
from tokens.models import RefreshToken
from tokens.testing import Client

LOGIN = "/accounts/login/"
DIFFERENT = ("Content-Length", "Expires", "X-Request-ID")  # with each answer
Reason = RefreshToken.Reason


def post(client, username, password=PASSWORD, **fields):
    return client.post(LOGIN, {"username": username, "password": password, **fields})


class TestSignIn:
    @pytest.mark.parametrize("name", ["bob", "BOB", "bob@example.org", "Bob@Example.ORG", " bob "])
    def test_takes_the_user_name_or_the_address(self, client, bob, name):
        assert post(client, name).headers["Location"] == "/"
        assert "Hello, bob." in client.get("/").content.decode()

    def test_until_the_browser_closes(self, client, bob):
        post(client, "bob")

        assert client.cookies["__Host-refresh"]["max-age"] == ""
        assert not RefreshToken.objects.get().remember

    def test_kept_on_this_device(self, client, bob):
        post(client, "bob", remember="on")

        assert int(client.cookies["__Host-refresh"]["max-age"]) > 24 * 3600
        assert RefreshToken.objects.get().remember

    def test_the_row_says_how_and_from_where(self, using, bob):
        post(using(FIREFOX), "bob")

        row = RefreshToken.objects.get()
        assert (row.method, row.user_agent, row.ip_address) == ("password", FIREFOX, "127.0.0.1")

    def test_goes_on_where_it_was_wanted(self, client, bob):
        asked = client.get("/accounts/sessions/")
        assert asked.headers["Location"] == f"{LOGIN}?next=/accounts/sessions/"
        assert 'name="next" value="/accounts/sessions/"' in client.get(asked.headers["Location"]).content.decode()

        assert post(client, "bob", next="/accounts/sessions/").headers["Location"] == "/accounts/sessions/"

    @pytest.mark.parametrize(
        "elsewhere",
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\thttps://evil.example"],
    )
    def test_never_goes_elsewhere(self, client, bob, elsewhere):
        assert post(client, "bob", next=elsewhere).headers["Location"] == "/"

    def test_somebody_who_is_signed_in_goes_home(self, client, bob):
        client.force_login(bob)

        assert client.get(LOGIN).headers["Location"] == "/"

    def test_a_form_from_elsewhere_is_refused(self, bob):
        assert post(Client(enforce_csrf_checks=True), "bob").status_code == 403
        assert not RefreshToken.objects.exists()

    def test_managers_of_passwords_can_fill_it_in(self, client, db):
        page = client.get(LOGIN).content.decode()

        assert 'autocomplete="username"' in page
        assert 'autocomplete="current-password"' in page


@pytest.fixture
def people(bob):
    User.objects.create_user("inactive", "inactive@example.org", PASSWORD, is_active=False)
    User.objects.create_user("unusable", "unusable@example.org", None)
    return {
        "unknown": ("nobody", PASSWORD),
        "unknown address": ("nobody@example.org", PASSWORD),
        "wrong": ("bob", "not the password"),
        "inactive": ("inactive", PASSWORD),
        "inactive and wrong": ("inactive", "not the password"),
        "unusable": ("unusable", PASSWORD),
    }


class TestFailures:
    def test_all_get_the_same_answer_to_the_byte(self, people):
        answers = set()
        for name, password in people.values():
            client = Client()
            client.get(LOGIN)
            response = post(client, name, password)
            page = response.content.decode().replace(f'value="{name}"', "")
            page = page.replace(page.partition('csrfmiddlewaretoken" value="')[2].partition('"')[0], "")
            headers = {name: value for name, value in response.items() if name not in DIFFERENT}
            answers.add((response.status_code, page, *sorted(headers.items())))

        assert len(answers) == 1
        assert "The name or the password is not right." in answers.pop()[1]

    def test_all_cost_one_hash(self, people, client, monkeypatch):
        hashes = []
        for method in ("encode", "verify"):
            plain = getattr(hashers.Argon2Hasher, method)
            monkeypatch.setattr(
                QuickArgon2Hasher, method, lambda *args, plain=plain: hashes.append(1) or plain(*args), raising=False
            )
        for case, (name, password) in people.items():
            hashes.clear()
            post(client, name, password)
            assert hashes == [1], case

    def test_all_cost_the_same_queries(self, people, client, django_assert_num_queries):
        for name, password in people.values():
            with django_assert_num_queries(4):  # the person to count it for, to let in, to record it for; the record
                post(client, name, password)

    def test_all_are_recorded_alike(self, people, client):
        for name, password in people.values():
            post(client, name, password)

        events = SecurityEvent.objects.order_by("pk")
        assert {event.kind for event in events} == {SecurityEvent.Kind.SIGN_IN_FAILED}
        assert [event.user.username if event.user else None for event in events] == [
            None,
            None,
            "bob",
            "inactive",
            "inactive",
            "unusable",
        ]

    def test_a_password_without_end_is_refused_before_it_is_hashed(self, bob, client, monkeypatch):
        monkeypatch.setattr(QuickArgon2Hasher, "verify", lambda *args: pytest.fail("hashed"))
        monkeypatch.setattr(QuickArgon2Hasher, "encode", lambda *args: pytest.fail("hashed"))

        page = post(client, "bob", "x" * 1025).content.decode()

        assert "A password has at most 1024 characters." in page

    def test_a_password_of_1024_characters_opens(self, client, db):
        User.objects.create_user("long", "long@example.org", "y" * 1024)

        assert post(client, "long", "y" * 1024).status_code == 302

    @pytest.mark.parametrize("name", ["x" * 255, "x" * 1_000_000, "a\x00b", "<script>"])
    def test_no_name_breaks_the_page(self, client, db, name):
        response = post(client, name)

        assert response.status_code == 200
        assert "<script>" not in response.content.decode()


class TestWhyItIsOver:
    """What the log-in page says to a browser whose sign-in has ended."""

    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            (Reason.REUSED, "You were signed out for your safety."),
            (Reason.ENDED, "This session was ended from the list of sessions."),
            (Reason.PASSWORD, "The password was changed. Sign in with the new one; if you have none, ask for a link"),
            (Reason.ADMIN, "An administrator ended this session."),
            (Reason.EVICTED, "There were too many sessions"),
            (Reason.DEACTIVATED, "Please sign in again."),
            (Reason.DELETED, "Please sign in again."),
        ],
    )
    def test_tells(self, using, bob, sign_in, reason, words):
        client = using(CHROME)
        sign_in(client, bob)
        RefreshToken.objects.get().revoke(reason)

        response = client.get("/accounts/sessions/", follow=True)

        assert response.redirect_chain == [(f"{LOGIN}?next=/accounts/sessions/", 302)]
        assert words in response.content.decode()

    @pytest.mark.parametrize("reason", [Reason.DEACTIVATED, Reason.DELETED])
    def test_hints_at_nothing(self, client, bob, sign_in, reason):
        sign_in(client, bob)
        RefreshToken.objects.get().revoke(reason)

        page = client.get(LOGIN).content.decode()

        assert "closed" not in page
        assert "delete" not in page
        assert "active" not in page

    def test_the_theft_notice_is_an_alert(self, client, bob, sign_in):
        sign_in(client, bob)
        RefreshToken.objects.get().revoke(Reason.REUSED)

        assert '<div class="notice error" role="alert">' in client.get(LOGIN).content.decode()

    def test_says_nothing_to_a_stranger(self, client, db):
        assert 'class="notice' not in client.get(LOGIN).content.decode()


class TestSignOut:
    def test_ends_the_session_and_says_so(self, client, bob, sign_in):
        sign_in(client, bob)

        page = client.post(reverse("logout"), follow=True).content.decode()

        assert "You are signed out." in page
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT
        assert SecurityEvent.objects.first().kind == SecurityEvent.Kind.SIGNED_OUT
        assert client.get("/accounts/sessions/").status_code == 302

    @pytest.mark.parametrize("method", ["get", "head"])
    def test_is_a_post(self, client, bob, sign_in, method):
        sign_in(client, bob)

        assert getattr(client, method)(reverse("logout")).status_code == 405
        assert RefreshToken.objects.live().count() == 1

    def test_is_kind_to_whoever_is_out_already(self, client, db):
        assert "You are signed out." in client.post(reverse("logout"), follow=True).content.decode()


class TestSigningInWhileSignedIn:
    def test_a_form_that_was_filled_in_signs_in_whoever_was_here_before(self, client, alice, bob, sign_in):
        sign_in(client, bob)
        sign_in(client, alice)
        assert client.get("/").content.count(b"Hello, alice.") == 1
        assert RefreshToken.objects.get(user=bob).reason == Reason.REPLACED

    def test_a_form_of_before_the_sign_in_elsewhere_signs_nobody_in_and_leads_on(self, alice, bob):
        """Two tabs with the form: the second one is sent with a token of the time before the sign-in in the first."""
        client, wanted = Client(enforce_csrf_checks=True), f"{LOGIN}?next=/accounts/profile/"
        token = client.get(wanted).content.decode().partition('csrfmiddlewaretoken" value="')[2].partition('"')[0]
        client.post(LOGIN, {"username": "bob", "password": PASSWORD, "csrfmiddlewaretoken": token})

        late = {"username": "alice", "password": PASSWORD, "csrfmiddlewaretoken": token}
        response = client.post(wanted, late)

        page = response.content.decode()
        assert response.status_code == 403
        assert "You are signed in already" in page
        assert "you are bob" in page
        assert f'href="{wanted}"' in page
        assert client.get(wanted).headers["Location"] == "/accounts/profile/"
        assert [row.user for row in RefreshToken.objects.live()] == [bob]

    def test_the_form_itself_sends_home(self, client, bob, sign_in):
        sign_in(client, bob)
        assert client.get("/accounts/login/").headers["Location"] == "/"


class TestAnEndElsewhere:
    """Another process has ended the session, and this one has not heard of it yet."""

    @pytest.fixture
    def ended(self, client, bob, sign_in):
        sign_in(client, bob)
        client.get("/")
        RefreshToken.objects.update(revoked_at=Now(), changed_at=Now(), reason=Reason.ENDED)
        return client

    def test_leads_to_the_log_in_page_which_says_why_and_not_in_a_circle(self, ended):
        response = ended.get("/accounts/sessions/", follow=True)
        assert response.redirect_chain == [("/accounts/login/?next=/accounts/sessions/", 302)]
        assert b"This session was ended from the list of sessions." in response.content

    def test_is_told_on_the_front_page_too(self, ended):
        ended.get("/accounts/sessions/")
        del ended.cookies["__Host-access"]
        assert b"This session was ended from the list of sessions." in ended.get("/").content

    def test_a_form_that_comes_too_late_leads_to_no_empty_page(self, ended):
        response = ended.post("/accounts/sessions/end-all/")
        assert response.headers["Location"] == "/accounts/login/"


def test_the_log_in_page_is_no_next_page(client, bob, sign_in):
    sign_in(client, bob)
    assert client.get("/accounts/login/?next=/accounts/login/").headers["Location"] == "/"
