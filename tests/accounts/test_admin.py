"""The admin: one door, one session life, rows that are read and ended."""

import re

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core import mail
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import mails
from accounts.models import OutgoingMail, SecurityEvent, User
from tests.accounts.proving import QUESTION, answer, forget_proofs
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

Reason = RefreshToken.Reason


def change(user):
    return reverse("admin:accounts_user_change", args=[user.pk])


URLS = [
    "/admin/",
    "/admin/login/",
    "/admin/accounts/",
    "/admin/accounts/user/",
    "/admin/accounts/user/add/",
    "/admin/accounts/user/1/change/",
    "/admin/tokens/refreshtoken/",
    "/admin/password_change/",
    "/admin/jsi18n/",
    "/admin/no/such/page/",
]


class TestTheDoor:
    @pytest.mark.parametrize("url", URLS)
    def test_nobody_without_is_staff_gets_further_than_a_403(self, there, url):
        assert there.get(url).status_code == 403

    def test_a_visitor_is_led_to_the_one_log_in_page_and_back(self, client, alice, sign_in):
        response = client.get("/admin/accounts/user/", follow=True)
        url, status = response.redirect_chain[-1]
        assert (url, status) == ("/accounts/login/?next=/admin/accounts/user/", 302)

        assert sign_in(client, alice, next="/admin/accounts/user/").headers["Location"] == "/admin/accounts/user/"

        assert client.get("/admin/accounts/user/").status_code == 200

    def test_the_log_in_page_of_the_admin_takes_no_password(self, client, alice):
        response = client.post("/admin/login/", {"username": "alice", "password": PASSWORD})

        assert response.headers["Location"].startswith("/accounts/login/")
        assert not RefreshToken.objects.exists()

    def test_staff_who_open_it_are_led_in(self, admin):
        assert admin.get("/admin/login/").headers["Location"] == "/admin/"

    def test_signing_out_there_is_signing_out(self, admin):
        assert admin.get("/admin/logout/").status_code == 405

        response = admin.post("/admin/logout/", follow=True)

        assert "You are signed out." in response.content.decode()
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT

    def test_a_password_is_changed_where_everybody_changes_it(self, admin):
        assert admin.get("/admin/password_change/").headers["Location"] == "/accounts/password/change/"

    def test_an_ended_session_is_out_at_once(self, admin, alice):
        RefreshToken.objects.filter(user=alice).update(revoked_at="2026-01-01T00:00Z")

        assert admin.get("/admin/").status_code == 302


class TestPeople:
    def test_are_listed_and_found(self, admin, bob):
        assert "bob@example.org" in admin.get("/admin/accounts/user/", {"q": "bob@"}).content.decode()

    def test_are_added_with_an_address(self, admin):
        fields = {"username": "carol"}
        assert admin.post("/admin/accounts/user/add/", fields).status_code == 200
        assert admin.post("/admin/accounts/user/add/", fields | {"email": "carol@example.org"}).status_code == 302
        assert User.objects.get(username="carol").email == "carol@example.org"

    def test_who_are_added_choose_their_password_by_a_mail_and_nobody_else_does(self, admin, alice, committing):
        typed = {"usable_password": "true", "password": PASSWORD, "password1": PASSWORD, "password2": PASSWORD}
        with committing():
            admin.post("/admin/accounts/user/add/", {"username": "carol", "email": "carol@example.org", **typed})

        carol = User.objects.get(username="carol")
        assert carol.has_usable_password() and not carol.check_password(PASSWORD)
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.by) == ("signed_up", carol, alice)
        [message] = mail.outbox
        assert message.to == ["carol@example.org"]
        assert "An administrator sends you this link to choose a password for your account, carol." in message.body
        assert "your password stays as it is" not in message.body
        [link] = re.findall(r"http://testserver(/\S+)", message.body)
        browser = Client()
        form = browser.get(link).headers["Location"]
        browser.post(form, {"new_password1": "chosen by herself", "new_password2": "chosen by herself"})
        carol.refresh_from_db()
        assert carol.check_password("chosen by herself")

    @pytest.mark.parametrize("clash", [{"username": "BOB"}, {"email": "BOB@EXAMPLE.ORG"}])
    def test_two_alike_are_refused_with_a_sentence(self, admin, bob, clash):
        fields = {"username": "carol", "email": "carol@example.org"}

        page = admin.post("/admin/accounts/user/add/", fields | clash).content.decode()

        assert "This user name is taken." in page or "Somebody has an account with this e-mail address." in page
        assert User.objects.count() == 2

    def test_show_their_sessions(self, admin, bob, there):
        page = admin.get(change(bob)).content.decode()

        assert "Chrome 131 on Windows" in page
        assert reverse("admin:tokens_refreshtoken_change", args=[RefreshToken.objects.get(user=bob).pk]) in page

    def save(self, admin, bob, **changes):
        """The form of Bob's page, filled in as it is but for these; None leaves a field out."""
        page = admin.get(change(bob))
        fields = page.context["adminform"].form.initial | changes
        fields = {name: value for name, value in fields.items() if value is not None}
        fields |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", "last_login_0": "", "last_login_1": ""}
        for form in page.context["inline_admin_formsets"]:
            fields |= {f"{form.formset.prefix}-{key}": 0 for key in ("TOTAL_FORMS", "INITIAL_FORMS")}
        return admin.post(change(bob), {**fields, "groups": [], "user_permissions": []})

    def test_who_are_deactivated_are_out_at_once(self, admin, bob, there):
        response = self.save(admin, bob, is_active=None)

        assert response.status_code == 302, response.context["errors"]
        bob.refresh_from_db()
        assert not bob.is_active
        assert there.get("/").context["request"].user.is_anonymous
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.by.username) == ("deactivated", bob, "alice")

    def test_who_get_another_name_hear_of_it(self, admin, bob, committing):
        with committing():
            assert self.save(admin, bob, username="robert").status_code == 302

        [message] = mail.outbox
        assert (message.subject, message.to) == ("Your user name was changed", ["bob@example.org"])
        assert "from bob to robert" in message.body
        assert "127.0.0.1" not in message.body  # which is the administrator's
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.by.username) == ("name_changed", bob, "alice")

    def test_who_get_another_address_hear_of_it_at_the_old_one_and_can_take_it_back(self, admin, bob, committing):
        User.objects.filter(pk=bob.pk).update(verified_at=timezone.now())
        with committing():
            assert self.save(admin, bob, email="robert@example.org").status_code == 302

        [message] = mail.outbox
        assert (message.subject, message.to) == ("Your e-mail address was changed", ["bob@example.org"])
        bob.refresh_from_db()
        assert (bob.email, bob.verified_at) == ("robert@example.org", None)
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.by.username) == ("address_changed", bob, "alice")

        [link] = re.findall(r"http://testserver(/\S+)", message.body)
        browser = Client()
        browser.post(browser.get(link).headers.get("Location", link))
        bob.refresh_from_db()
        assert bob.email == "bob@example.org"

    def test_who_are_deleted_are_out_at_once(self, admin, bob, there):
        url = reverse("admin:accounts_user_delete", args=[bob.pk])
        assert admin.get(url).status_code == 200

        assert admin.post(url, {"post": "yes"}).status_code == 302

        assert not User.objects.filter(username="bob").exists()
        assert there.get("/").context["request"].user.is_anonymous

    def test_have_passwords_that_nobody_sets_for_them(self, admin, bob, there):
        typed = {"usable_password": "true", "password1": "another entirely", "password2": "another entirely"}
        assert "password" not in admin.get(change(bob)).context["adminform"].form.fields

        admin.post(f"/admin/accounts/user/{bob.pk}/password/", typed)
        self.save(admin, bob, password="another entirely", **typed)

        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)
        assert there.get("/accounts/profile/").status_code == 200

    @pytest.mark.parametrize(
        ("changes", "kind"),
        [
            ({"first_name": "Robert"}, "profile_changed"),
            ({"is_staff": "on"}, "rights_changed"),
            ({"is_superuser": "on", "is_staff": "on"}, "rights_changed"),
        ],
    )
    def test_whose_page_is_changed_find_it_in_their_history(self, admin, alice, bob, changes, kind):
        assert self.save(admin, bob, **changes).status_code == 302

        [event] = SecurityEvent.objects.filter(user=bob)
        assert (event.kind, event.by) == (kind, alice)

    def test_who_are_deleted_leave_who_did_it_in_the_history_and_no_name(self, admin, alice, bob):
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD)
        fields = {"action": "delete_selected", "_selected_action": [carol.pk, bob.pk], "post": "yes"}

        admin.post("/admin/accounts/user/", fields)

        assert list(User.objects.all()) == [alice]
        events = SecurityEvent.objects.filter(kind="deleted")
        assert [(event.user, event.by) for event in events] == [(None, alice)] * 2

    def test_who_are_deleted_at_once_are_locked_in_the_order_of_their_keys(self, admin, bob):
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD)
        fields = {"action": "delete_selected", "_selected_action": [carol.pk, bob.pk], "post": "yes"}

        with CaptureQueriesContext(connection) as queries:
            admin.post("/admin/accounts/user/?o=-1", fields)

        lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
        assert any(query["sql"].endswith(f'ORDER BY "accounts_user"."id" ASC{lock}') for query in queries)


class TestEndSessions:
    def end(self, client, *people):
        fields = {"action": "end_sessions", "_selected_action": [person.pk for person in people]}
        return client.post("/admin/accounts/user/", fields, follow=True)

    def test_ends_all_of_the_selected_people(self, admin, alice, bob, there):
        page = self.end(admin, bob).content.decode()

        assert "1 session was ended." in page
        assert RefreshToken.objects.get(user=bob).reason == Reason.ADMIN
        assert RefreshToken.objects.get(user=alice).is_live
        assert "An administrator ended this session." in there.get("/accounts/profile/", follow=True).content.decode()

    def test_is_recorded_with_who_did_it(self, admin, alice, bob, there):
        self.end(admin, bob)

        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.by) == ("all_ended", bob, alice)

    def test_needs_its_own_permission(self, client, bob, there, sign_in):
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
        carol.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
        sign_in(client, carol)

        self.end(client, bob)
        assert RefreshToken.objects.get(user=bob).is_live

        carol.user_permissions.add(Permission.objects.get(codename="end_refreshtoken"))
        self.end(client, bob)
        assert not RefreshToken.objects.get(user=bob).is_live


class TestProof:
    """Whatever is changed here is changed by somebody who has shown who they are within ten minutes."""

    @pytest.fixture(autouse=True)
    def a_while_ago(self, admin, there):
        forget_proofs()

    def test_is_asked_for_before_anything_changes_and_the_form_is_kept(self, admin, alice, bob):
        fields = {"action": "end_sessions", "_selected_action": [alice.pk, bob.pk], "index": "0"}
        page = admin.post("/admin/accounts/user/?o=1", fields)
        assert RefreshToken.objects.live().count() == 2

        answer(admin, page)

        assert not RefreshToken.objects.live().exists()

    def test_is_asked_for_before_somebody_is_added(self, admin):
        page = admin.post("/admin/accounts/user/add/", {"username": "carol", "email": "carol@example.org"})
        assert answer(admin, page, "wrong").status_code == 200
        assert not User.objects.filter(username="carol").exists()

        answer(admin, page)

        assert User.objects.filter(username="carol").exists()

    def test_is_not_asked_for_to_look_or_to_leave(self, admin, bob):
        for url in ("/admin/", "/admin/accounts/user/", change(bob), "/admin/tokens/refreshtoken/"):
            assert QUESTION not in admin.get(url).content.decode()
        assert admin.post("/admin/logout/").headers["Location"] == "/accounts/login/"

    def test_is_asked_of_nobody_who_may_not_change_anything(self, there):
        assert there.post("/admin/accounts/user/", {"action": "end_sessions"}).status_code == 403


class TestRows:
    @pytest.mark.parametrize("model", ["tokens_refreshtoken", "accounts_securityevent", "accounts_outgoingmail"])
    def test_are_read_and_never_added_edited_or_deleted(self, admin, bob, there, model):
        table = apps.get_model(*model.split("_"))
        mails.send("account_exists", bob)
        row = table.objects.filter(user=bob).first()
        before = list(table.objects.order_by("pk").values())

        assert admin.get(reverse(f"admin:{model}_changelist")).status_code == 200
        assert admin.get(reverse(f"admin:{model}_change", args=[row.pk])).status_code == 200
        assert admin.get(reverse(f"admin:{model}_add")).status_code == 403
        assert admin.post(reverse(f"admin:{model}_add"), {}).status_code == 403
        assert admin.post(reverse(f"admin:{model}_change", args=[row.pk]), {"name": "x"}).status_code == 403
        assert admin.post(reverse(f"admin:{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert list(table.objects.order_by("pk").values()) == before

    def test_mails_that_wait_show_what_and_when_and_no_more(self, admin, bob):
        mails.send("new_browser", bob, RequestFactory().get("/", REMOTE_ADDR="203.0.113.7"))
        waiting = OutgoingMail.objects.get()
        for page, which in ("changelist", []), ("change", [waiting.pk]):
            shown = admin.get(reverse(f"admin:accounts_outgoingmail_{page}", args=which)).content.decode()
            assert "bob@example.org" in shown
            assert "new_browser" in shown
            assert "203.0.113.7" not in shown

    def test_a_persons_page_changes_no_session(self, admin, bob, there):
        row = RefreshToken.objects.get(user=bob)
        prefix = "refresh_tokens-0"

        admin.post(
            change(bob),
            {
                "refresh_tokens-TOTAL_FORMS": 1,
                "refresh_tokens-INITIAL_FORMS": 1,
                f"{prefix}-id": str(row.pk),
                f"{prefix}-address": "192.0.2.9",
                f"{prefix}-DELETE": "on",
            },
        )

        assert RefreshToken.objects.get(pk=row.pk).ip_address == row.ip_address


def test_ending_sessions_in_their_own_list_is_written_down_with_who_did_it(client, alice, bob, sign_in):
    sign_in(Client(), bob)
    row = RefreshToken.objects.get(user=bob)
    sign_in(client, alice)
    client.post("/admin/tokens/refreshtoken/", {"action": "end_sessions", "_selected_action": [str(row.pk)]})
    row.refresh_from_db()
    assert row.reason == Reason.ADMIN
    event = SecurityEvent.objects.get(kind=SecurityEvent.Kind.SESSION_ENDED)
    assert (event.user, event.by, event.session) == (bob, alice, row.pk)
