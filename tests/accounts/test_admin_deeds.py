"""What administrators do to people: each deed ends where it should, is written down, and is within their reach."""

import json
import re

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.urls import reverse

from accounts.models import SecurityEvent, User
from tests.accounts.conftest import CHROME
from tests.accounts.proving import QUESTION, answer, forget_proofs
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

USERS = "/admin/accounts/user/"
SESSIONS = "/admin/tokens/refreshtoken/"
Reason = RefreshToken.Reason


@pytest.fixture
def carol(db):
    """On the staff, and no superuser, with every permission there is."""
    person = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
    person.user_permissions.set(Permission.objects.all())
    return person


def do(client, action, *people, **more):
    fields = {"action": action, "_selected_action": [person.pk for person in people], **more}
    return client.post(USERS, fields, follow=True)


def press(client, person, button):
    """Send what the button on the person's page holds."""
    page = " ".join(client.get(reverse("admin:accounts_user_change", args=[person.pk])).content.decode().split())
    form = re.search(r'<form method="post" action="([^"]+)">((?:(?!</form>).)*)<button class="[^"]+">' + button, page)
    assert form, page
    return client.post(form[1], dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[2])), follow=True)


def happened(person):
    """What is written down of them since they signed in, and who did it."""
    events = SecurityEvent.objects.filter(user=person).exclude(kind="signed_in")
    return [(event.kind, event.by and event.by.username) for event in events]


class TestDeactivate:
    def test_closes_the_account_and_ends_its_sessions_at_once(self, admin, bob, there):
        page = do(admin, "deactivate", bob).content.decode()

        assert "1 account was closed." in page
        bob.refresh_from_db()
        assert not bob.is_active
        assert RefreshToken.objects.get(user=bob).reason == Reason.DEACTIVATED
        assert there.get("/").context["request"].user.is_anonymous
        assert happened(bob) == [("deactivated", "alice")]

    def test_closes_nothing_twice(self, admin, bob):
        do(admin, "deactivate", bob)

        assert "0 accounts were closed." in do(admin, "deactivate", bob).content.decode()
        assert len(happened(bob)) == 1

    def test_is_nothing_one_does_to_oneself(self, admin, alice):
        do(admin, "deactivate", alice)

        alice.refresh_from_db()
        assert alice.is_active
        assert "Close the account" not in admin.get(f"{USERS}{alice.pk}/change/").content.decode()


class TestSendReset:
    def test_sends_a_link_and_leaves_the_password_and_the_sessions(self, admin, bob, there, committing):
        with committing():
            page = do(admin, "send_reset", bob).content.decode()

        assert "1 link is on its way." in page
        [message] = mail.outbox
        assert message.to == ["bob@example.org"]
        assert "An administrator sends you this link" in message.body
        assert "127.0.0.1" not in message.body  # which is the administrator's
        assert there.get("/accounts/profile/").status_code == 200
        assert happened(bob) == [("reset_asked", "alice")]

    def test_shows_the_link_to_nobody_else(self, admin, bob, committing):
        with committing():
            page = do(admin, "send_reset", bob).content.decode()

        [link] = re.findall(r"/accounts/password/reset/\S+", mail.outbox[0].body)
        assert link not in page

    @pytest.mark.parametrize("unfit", [{"is_active": False}, {"password": "!"}])
    def test_sends_nothing_to_whoever_may_have_no_password(self, admin, bob, committing, unfit):
        User.objects.filter(pk=bob.pk).update(**unfit)
        with committing():
            page = do(admin, "send_reset", bob).content.decode()

        assert "nothing was sent" in page
        assert mail.outbox == []
        assert happened(bob) == []


class TestExport:
    def test_is_the_file_that_they_could_have_themselves(self, admin, bob, there):
        response = do(admin, "export", bob)

        document = json.loads(response.content)
        assert document["account"]["username"] == "bob"
        assert not any(session["current"] for session in document["sessions"])
        assert "sojourn-bob-" in response.headers["Content-Disposition"]
        assert happened(bob) == [("exported", "alice")]

    def test_is_of_one_person(self, admin, alice, bob):
        response = do(admin, "export", alice, bob)

        assert "Choose one person" in response.content.decode()
        assert happened(bob) == []


class TestButtons:
    @pytest.mark.parametrize(
        ("button", "kind"),
        [
            ("End all sessions", "all_ended"),
            ("Send a link to a new password", "reset_asked"),
            ("Download the data", "exported"),
            ("Close the account", "deactivated"),
        ],
    )
    def test_of_a_persons_page_do_it_to_them(self, admin, bob, there, button, kind):
        press(admin, bob, button)

        assert happened(bob) == [(kind, "alice")]

    @pytest.mark.parametrize("action", ["end_sessions", "deactivate", "send_reset", "export"])
    def test_ask_who_it_is_first(self, admin, bob, there, action):
        forget_proofs()

        question = do(admin, action, bob)
        assert QUESTION in question.content.decode()
        assert happened(bob) == []

        answer(admin, question)
        assert len(happened(bob)) == 1


class TestReach:
    """Only superusers do anything to those who have rights, or give rights."""

    ACTIONS = ("end_sessions", "deactivate", "send_reset", "export")

    @pytest.fixture
    def staff(self, client, carol, sign_in):
        sign_in(client, carol)
        return client

    @pytest.fixture
    def dave(self, db):
        """A colleague of Carol's."""
        return User.objects.create_user("dave", "dave@example.org", PASSWORD, is_staff=True)

    @pytest.mark.parametrize("action", ACTIONS)
    def test_of_staff_is_everybody_who_is_not(self, staff, alice, carol, dave, bob, there, action):
        for person in (alice, dave, carol):
            page = do(staff, action, person).content.decode()
            assert "only a superuser may do that" in page
            assert happened(person) == []

        do(staff, action, bob)
        assert len(happened(bob)) == 1

    def test_is_looked_at_one_by_one(self, staff, alice, bob, there):
        page = do(staff, "end_sessions", alice, bob).content.decode()

        assert "1 person is on the staff" in page
        assert (happened(alice), happened(bob)) == ([], [("all_ended", "carol")])

    def test_is_the_same_in_the_list_of_sessions(self, staff, using, sign_in, alice, bob, there):
        sign_in(using(CHROME), alice)
        rows = RefreshToken.objects.filter(user__in=[alice, bob])

        staff.post(SESSIONS, {"action": "end_sessions", "_selected_action": [row.pk for row in rows]})

        assert {row.user.username: row.reason for row in rows.all()} == {"alice": "", "bob": "admin"}
        [hers] = rows.filter(user=alice)
        assert "End this session" not in staff.get(f"{SESSIONS}{hers.pk}/change/").content.decode()

    def test_has_no_forms_for_the_others(self, staff, alice, carol, dave):
        for person in (alice, carol, dave):
            page = staff.get(f"{USERS}{person.pk}/change/")
            assert not page.context["has_change_permission"]
            assert page.context["deeds"] == []
            assert staff.post(f"{USERS}{person.pk}/change/", {"email": "carol@example.com"}).status_code == 403
            assert staff.post(f"{USERS}{person.pk}/delete/", {"post": "yes"}).status_code == 403
        fields = {"action": "delete_selected", "_selected_action": [alice.pk, dave.pk], "post": "yes"}
        staff.post(USERS, fields)
        assert User.objects.count() == 3

    def test_gives_no_rights(self, staff, bob):
        form = staff.get(f"{USERS}{bob.pk}/change/").context["adminform"].form
        fields = {name: value for name, value in form.initial.items() if value is not None}
        assert not form.fields.keys() & {"is_staff", "is_superuser", "groups", "user_permissions"}
        fields |= {"is_staff": "on", "is_superuser": "on", "user_permissions": ["1"], "first_name": "Robert"}
        fields |= {"refresh_tokens-TOTAL_FORMS": 0, "refresh_tokens-INITIAL_FORMS": 0}

        assert staff.post(f"{USERS}{bob.pk}/change/", fields).status_code == 302

        bob.refresh_from_db()
        assert (bob.first_name, bob.is_staff, bob.is_superuser) == ("Robert", False, False)
        assert not bob.user_permissions.exists()

    def test_gives_a_superuser_no_rights_of_their_own_to_change(self, admin, alice, bob):
        def fields(person):
            return admin.get(f"{USERS}{person.pk}/change/").context["adminform"].form.fields.keys()

        assert fields(bob) - fields(alice) == {"is_active", "is_staff", "is_superuser", "groups", "user_permissions"}


class TestAtOnce:
    def test_are_not_more_than_a_request_is_good_for(self, admin, bob, monkeypatch):
        monkeypatch.setattr("accounts.admin.rows.AT_ONCE", 1)
        for all_of_them in ("1", "true"):
            page = do(admin, "end_sessions", bob, select_across=all_of_them).content.decode()

            assert "At most 1 row can be changed at once. Nothing was changed." in page
        assert happened(bob) == []
