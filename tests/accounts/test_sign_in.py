"""The log-in page: who gets in, and that it tells nobody else anything; and the way out."""

import re

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from accounts.models import SecurityEvent, User
from tests.accounts.conftest import FIREFOX
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

LOGIN = "/accounts/login/"
DIFFERENT = ("Content-Length", "Expires", "X-Request-ID")  # with each answer
Kind, Reason = SecurityEvent.Kind, RefreshToken.Reason
TELLING = (Reason.REUSED, Reason.ENDED, Reason.PASSWORD, Reason.FACTORS, Reason.ADMIN, Reason.EVICTED)


def post(client, username, password=PASSWORD, **fields):
    return client.post(LOGIN, {"username": username, "password": password, **fields})


class TestSignIn:
    @pytest.mark.parametrize("name", ["BOB", "Bob@Example.ORG", " bob "])
    def test_takes_the_user_name_or_the_address(self, using, bob, name):
        client = using(FIREFOX)
        assert post(client, name).headers["Location"] == "/"
        assert client.get("/").context["user"].get_username() == "bob"
        row = RefreshToken.objects.get()
        assert (row.method, row.user_agent, row.ip_address) == ("password", FIREFOX, "127.0.0.1")

    @pytest.mark.parametrize(("fields", "kept"), [({}, False), ({"remember": "on"}, True)])
    def test_lasts_until_the_browser_closes_or_is_kept_on_this_device(self, client, bob, fields, kept):
        post(client, "bob", **fields)
        max_age = client.cookies["__Host-refresh"]["max-age"]
        assert int(max_age) > 24 * 3600 if kept else max_age == ""
        assert RefreshToken.objects.get().remember is kept

    def test_takes_a_password_however_old(self, client, bob):
        User.objects.update(password_changed_at="2000-01-01T00:00:00Z")
        assert post(client, "bob").headers["Location"] == "/"
        assert client.get("/").context["user"].is_authenticated

    def test_goes_on_where_it_was_wanted(self, client, bob):
        asked = client.get("/accounts/sessions/")
        assert asked.headers["Location"] == f"{LOGIN}?next=/accounts/sessions/"
        assert 'name="next" value="/accounts/sessions/"' in client.get(asked.headers["Location"]).content.decode()
        assert post(client, "bob", next="/accounts/sessions/").headers["Location"] == "/accounts/sessions/"

    def test_never_goes_elsewhere(self, client, bob):
        """All the ways to write another site are tried in tests/security/test_forgery.py."""
        assert post(client, "bob", next="//evil.example").headers["Location"] == "/"

    def test_somebody_who_is_signed_in_goes_home(self, here):
        for url in (LOGIN, f"{LOGIN}?next={LOGIN}", reverse("signup")):
            assert here.get(url).headers["Location"] == "/"

    def test_managers_of_passwords_can_fill_it_in(self, client, db):
        page = client.get(LOGIN).content.decode()
        assert 'autocomplete="username"' in page
        assert 'autocomplete="current-password"' in page


@pytest.fixture
def people(bob):
    """Name and password of those who do not get in, and whose history has it."""
    User.objects.create_user("inactive", "inactive@example.org", PASSWORD, is_active=False)
    User.objects.create_user("unusable", "unusable@example.org", None)
    start, salt, digest = bob.password.rsplit("$", 2)
    stored = ("x", start[:20], start, f"{start}${salt}", f"{start}${salt}$", f"{start}${salt[:5]}${digest}")
    stored += (f"{start}${salt}${digest[:-2]}", f"{start}${salt}${digest[:5]}", "pbkdf2_sha256$1", "argon2$")
    for place, password in enumerate(stored):
        User.objects.create(username=f"cut{place}", email=f"cut{place}@example.org", password=password)
    return [
        *((f"cut{place}", PASSWORD, f"cut{place}") for place in range(len(stored))),
        ("nobody", PASSWORD, None),
        ("nobody@example.org", PASSWORD, None),
        ("bob", "not the password", "bob"),
        ("inactive", PASSWORD, "inactive"),
        ("inactive", "not the password", "inactive"),
        ("unusable", PASSWORD, "unusable"),
    ]


class TestFailures:
    def test_all_get_the_same_answer_to_the_byte(self, people):
        answers = set()
        for name, password, _ in people:
            if (name, password) == ("inactive", PASSWORD):
                continue
            client = Client()
            client.get(LOGIN)
            response = post(client, name, password)
            page = response.content.decode().replace(f'value="{name}"', "")
            for random in ('csrfmiddlewaretoken" value="', "challenge&quot;: &quot;"):
                page = page.replace(re.match(r"[\w-]+", page.partition(random)[2])[0], "")
            headers = {name: value for name, value in response.items() if name not in DIFFERENT}
            answers.add((response.status_code, page, *sorted(headers.items())))
            assert response.context["form"].non_field_errors()
        assert len(answers) == 1

    @pytest.mark.parametrize("contact", ["", "help@example.org"])
    def test_a_closed_account_is_told_so_for_the_right_password_and_with_whom_to_speak(
        self, people, client, settings, contact
    ):
        settings.SUPPORT_EMAIL = contact
        wrong, right = (
            post(client, "inactive", password).context["form"].non_field_errors()
            for password in ("not the password", PASSWORD)
        )
        assert (wrong == right, f'href="mailto:{contact}"' in right[0]) == (False, bool(contact))

    def test_all_cost_one_hash_and_the_same_queries_and_are_recorded(
        self, people, client, hashes, django_assert_num_queries
    ):
        for name, password, owner in people:
            hashes.clear()
            # The person to count it for, to let in, to record it for; the record and its count, in a savepoint.
            with django_assert_num_queries(9):
                post(client, name, password)
            assert len(hashes) == 1, name
            events = SecurityEvent.objects.values_list("kind", "user__username")
            assert list(events) == ([(Kind.SIGN_IN_FAILED, owner)] if owner else [])  # no row about nobody
            SecurityEvent.objects.all()._raw_delete("default")

    def test_a_malformed_hash_is_told_to_the_operator_once(self, people, client, caplog):
        for _ in range(3):
            post(client, "cut1", PASSWORD)
        key = str(User.objects.get(username="cut1").pk)
        assert [line.user_id for line in caplog.records if "malformed" in line.message] == [key]

    def test_a_password_of_more_than_1024_characters_is_refused_before_it_is_hashed(self, client, hashes, db):
        User.objects.create_user("long", "long@example.org", "y" * 1024)
        hashes.clear()
        assert post(client, "long", "y" * 1025).context["form"].errors.keys() == {"password"}
        assert hashes == []
        assert post(client, "long", "y" * 1024).status_code == 302

    @pytest.mark.parametrize("name", ["x" * 1_000_000, "a\x00b", "<script>"])
    def test_no_name_breaks_the_page(self, client, db, name):
        response = post(client, name)
        assert response.status_code == 200
        assert "<script>" not in response.content.decode()


class TestWhyItIsOver:
    """What the log-in page says to a browser whose sign-in has ended."""

    def notice(self, here, reason):
        """Return the words of the notice, and whether it is an alert."""
        RefreshToken.objects.update(revoked_at=Now(), reason=reason)
        page = here.get("/accounts/sessions/", follow=True)
        assert page.redirect_chain == [(f"{LOGIN}?next=/accounts/sessions/", 302)]
        [(attributes, words)] = re.findall(r'<div class="notice([^>]*)>(.*?)</div>', page.content.decode(), flags=re.S)
        return words, 'role="alert"' in attributes

    def test_tells_each_reason_by_itself_and_alarms_where_a_copy_was_used(self, here):
        told = {reason: self.notice(here, reason) for reason in (*TELLING, Reason.DEACTIVATED, Reason.DELETED)}
        assert [reason for reason, (_, alarms) in told.items() if alarms] == [Reason.REUSED]
        assert len(set(told.values())) == len(TELLING) + 1
        assert "This can be harmless. Importing a browser profile" in told[Reason.REUSED][0]
        assert told[Reason.DEACTIVATED] == told[Reason.DELETED]  # nobody is told that there is no such account now


class TestSignOut:
    def test_ends_the_session(self, here):
        for method in (here.get, here.head):
            assert method(reverse("logout")).status_code == 405
        assert RefreshToken.objects.live().count() == 1
        for _ in range(2):  # whoever is out already is led to the same page
            assert here.post(reverse("logout")).headers["Location"] == LOGIN
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT
        assert SecurityEvent.objects.first().kind == Kind.SIGNED_OUT
        assert here.get("/accounts/sessions/").status_code == 302


class TestSigningInWhileSignedIn:
    def test_a_form_that_was_filled_in_ends_the_session_of_before(self, client, alice, bob, sign_in):
        sign_in(client, bob)
        sign_in(client, alice)
        assert client.get("/").context["user"] == alice
        assert RefreshToken.objects.get(user=bob).reason == Reason.REPLACED

    @pytest.mark.parametrize(
        ("referer", "back"),
        [
            ("http://testserver/accounts/profile/", "http://testserver/accounts/profile/"),
            ("http://evil.example/", LOGIN),
        ],
    )
    def test_a_form_that_is_refused_leads_back_to_where_it_was_unless_that_is_elsewhere(
        self, client, db, referer, back
    ):
        response = Client(enforce_csrf_checks=True).post(LOGIN, headers={"referer": referer})
        assert (response.status_code, response.context["back"]) == (403, back)

    def test_a_form_of_before_the_sign_in_elsewhere_signs_nobody_in_and_leads_on(self, alice, bob):
        """Two tabs with the form: the second one is sent with a token of the time before the sign-in in the first."""
        client, wanted = Client(enforce_csrf_checks=True), f"{LOGIN}?next=/accounts/profile/"
        token = client.get(wanted).content.decode().partition('csrfmiddlewaretoken" value="')[2].partition('"')[0]
        client.post(LOGIN, {"username": "bob", "password": PASSWORD, "csrfmiddlewaretoken": token})
        late = {"username": "alice", "password": PASSWORD, "csrfmiddlewaretoken": token}
        response = client.post(wanted, late)
        assert response.status_code == 403
        assert "bob" in response.content.decode()
        assert f'href="{wanted}"' in response.content.decode()
        assert client.get(wanted).headers["Location"] == "/accounts/profile/"
        assert [row.user for row in RefreshToken.objects.live()] == [bob]


class TestAnEndElsewhere:
    """Another process has ended the session, and this one has not heard of it yet."""

    @pytest.fixture
    def ended(self, client, bob, sign_in):
        sign_in(client, bob)
        client.get("/")
        RefreshToken.objects.update(revoked_at=Now(), changed_at=Now(), reason=Reason.ENDED)
        return client

    def test_is_told_on_the_front_page_too(self, ended):
        ended.get("/accounts/sessions/")
        del ended.cookies["__Host-access"]
        assert b'class="notice' in ended.get("/").content

    def test_a_form_that_comes_too_late_leads_to_no_empty_page(self, ended):
        response = ended.post("/accounts/sessions/end-all/")
        assert response.headers["Location"] == "/accounts/login/"
