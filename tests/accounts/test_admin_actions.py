"""What administrators do to people: each deed ends where it should, is written down, and is within reach and rights."""

import json
import re

import pytest
from django.apps import apps
from django.contrib import admin as admin_site
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.db import transaction
from django.urls import reverse

from accounts.mails import outbox
from accounts.models import Authenticator, SecurityEvent, User
from tests.accounts.conftest import CHROME, sent
from tests.accounts.mail_contents import link_in
from tests.accounts.reauthenticating import QUESTION, answer, expire_reauthentication
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

CONFIRMED = {"confirmed": "yes", "reason": "They rang us"}
USERS = "/admin/accounts/user/"
SESSIONS = "/admin/tokens/refreshtoken/"
Reason = RefreshToken.Reason


def do(client, action, *people, **more):
    fields = {"action": action, "_selected_action": [person.pk for person in people], **CONFIRMED, **more}
    return client.post(USERS, fields, follow=True)


def press(client, person, action):
    """Send what the button for this action on the person's page holds."""
    page = client.get(reverse("admin:accounts_user_change", args=[person.pk])).content.decode()
    for url, fields in re.findall(r'<form method="post" action="([^"]+)">(.*?)</form>', page, flags=re.S):
        found = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', fields))
        if found.get("action") == action:
            question = client.post(url, found)
            if question.templates and question.templates[0].name == "admin/confirm_action.html":
                return client.post(url, {**dict(question.context["fields"]), "confirmed": "yes"})
            return question
    raise AssertionError(page)


def happened(person):
    """What is written down of them since they signed in, and who did it."""
    events = SecurityEvent.objects.filter(user=person).exclude(kind="signed_in")
    return [(event.kind, event.actor and event.actor.username) for event in events]


class TestDeactivate:
    def test_closes_the_account_and_ends_its_sessions_at_once(self, admin, bob, there):
        for _ in range(2):
            do(admin, "deactivate", bob)
        bob.refresh_from_db()
        assert not bob.is_active
        assert RefreshToken.objects.get(user=bob).reason == Reason.DEACTIVATED
        assert there.get("/").context["request"].user.is_anonymous
        assert happened(bob) == [("deactivated", "alice")]

    def test_is_nothing_one_does_to_oneself(self, admin, alice):
        do(admin, "deactivate", alice)
        alice.refresh_from_db()
        assert alice.is_active
        page = admin.get(f"{USERS}{alice.pk}/change/")
        assert "deactivate" not in dict(page.context["available_actions"])


class TestSendReset:
    def test_sends_a_link_to_them_alone_and_leaves_the_password_and_the_sessions(self, admin, bob, there, committing):
        with committing():
            page = do(admin, "send_reset", bob).content.decode()
        assert sent() == [("password_reset", ["bob@example.org"])]
        assert "ip_address" not in mail.outbox[0].context  # which is the administrator's
        assert link_in(mail.outbox[0]) not in page
        assert there.get("/accounts/profile/").status_code == 200
        assert happened(bob) == [("reset_asked", "alice")]

    @pytest.mark.parametrize("unfit", [{"is_active": False}, {"password": "!"}])
    def test_sends_nothing_to_whoever_may_have_no_password(self, admin, bob, committing, unfit):
        User.objects.filter(pk=bob.pk).update(**unfit)
        with committing():
            do(admin, "send_reset", bob)
        assert mail.outbox == []
        assert happened(bob) == []


class TestExport:
    def test_is_the_file_that_they_could_have_themselves_of_one_person(self, admin, alice, bob, there):
        assert "Content-Disposition" not in do(admin, "export", alice, bob).headers
        assert happened(bob) == []
        response = do(admin, "export", bob)
        document = json.loads(response.content)
        assert document["account"]["username"] == "bob"
        assert not any(session["current"] for session in document["sessions"])
        assert "sojourn-bob-" in response.headers["Content-Disposition"]
        assert happened(bob) == [("exported", "alice")]


class TestButtons:
    @pytest.mark.parametrize(
        ("action", "kind"),
        [
            ("end_sessions", "all_ended"),
            ("send_reset", "reset_asked"),
            ("export", "exported"),
            ("deactivate", "deactivated"),
        ],
    )
    def test_of_a_persons_page_do_it_to_them(self, admin, bob, there, action, kind):
        press(admin, bob, action)
        assert happened(bob) == [(kind, "alice")]

    @pytest.mark.parametrize("action", ["end_sessions", "send_reset", "deactivate"])
    def test_ask_before_they_act_and_lead_back(self, admin, bob, there, action):
        own = reverse("admin:accounts_user_change", args=[bob.pk])
        form = {"action": action, "_selected_action": bob.pk, "next": own}
        question = admin.post(USERS, form)
        assert (question.context["names"], question.context["back"]) == (["bob"], own)
        assert happened(bob) == []
        answered = admin.post(USERS, {**dict(question.context["fields"]), **CONFIRMED})
        assert answered.headers["Location"] == own
        assert len(happened(bob)) == 1

    def test_lead_to_no_other_site(self, admin, bob, there):
        form = {"action": "end_sessions", "_selected_action": bob.pk, "next": "https://example.org/", **CONFIRMED}
        assert admin.post(f"{USERS}?o=1", form).headers["Location"] == f"{USERS}?o=1"

    def test_that_close_an_account_offer_to_reopen_it(self, admin, bob, there):
        page = do(admin, "deactivate", bob).content.decode()
        [fields] = re.findall(r'<form class="undo"[^>]*>(.*?)</form>', page)
        admin.post(USERS, dict(re.findall(r'name="([^"]+)" value="([^"]*)"', fields)))
        bob.refresh_from_db()
        assert bob.is_active
        assert [kind for kind, _ in happened(bob)] == ["activated", "deactivated"]
        assert not RefreshToken.objects.for_user(bob).live().exists()

    def test_of_a_list_name_eight_and_count_the_others(self, admin, bob):
        people = User.objects.bulk_create(User(username=f"u{n}", email=f"u{n}@example.org") for n in range(10))
        question = admin.post(USERS, {"action": "deactivate", "_selected_action": [user.pk for user in people]})
        assert (len(question.context["names"]), question.context["left_out"]) == (8, 2)

    def test_ask_who_it_is_first(self, admin, bob, there):
        expire_reauthentication()
        question = do(admin, "export", bob)
        assert QUESTION in question.content.decode()
        assert happened(bob) == []
        answer(admin, question)
        assert len(happened(bob)) == 1

    @pytest.mark.parametrize("codename", ["deactivate_user", "reset_user", "export_user", "end_refreshtoken"])
    def test_are_there_for_what_one_may_do(self, staff, bob, codename):
        page = staff("view_user", codename).get(f"{USERS}{bob.pk}/change/")
        assert {f"user: {name}" for name, _ in page.context["available_actions"]} == ALLOWED[codename] - {
            "refreshtoken: end_sessions"
        }


def test_each_permission_is_offered_once_in_words(admin, bob):
    form = admin.get(f"{USERS}{bob.pk}/change/").context["adminform"].form
    labels = [label for _, label in form.fields["user_permissions"].choices]
    assert {"Can view sessions", "Can end sessions", "Can close and reopen accounts"} < set(labels)
    assert len(set(labels)) == len(labels)
    assert not any("content type" in label or "log entr" in label for label in labels)


class TestReach:
    """Only superusers do anything to those who have rights, or give rights."""

    @pytest.fixture
    def dave(self, db):
        """A colleague of Carol's."""
        return User.objects.create_user("dave", "dave@example.org", PASSWORD, is_staff=True)

    @pytest.fixture
    def colleague(self, carol, using, sign_in):
        """Carol's browser, who is no superuser, and has every permission there is."""
        carol.user_permissions.set(Permission.objects.all())
        client = using(CHROME)
        sign_in(client, carol)
        return client

    @pytest.mark.parametrize("action", ["end_sessions", "deactivate", "send_reset", "export"])
    def test_of_staff_is_everybody_who_is_not(self, colleague, alice, carol, dave, bob, there, action):
        for person in (alice, dave, carol):
            do(colleague, action, person)
            assert happened(person) == []
        do(colleague, action, bob)
        assert len(happened(bob)) == 1

    def test_is_looked_at_one_by_one(self, colleague, alice, bob, there):
        do(colleague, "end_sessions", alice, bob)
        assert (happened(alice), happened(bob)) == ([], [("all_ended", "carol")])

    def test_is_the_same_in_the_list_of_sessions(self, colleague, using, sign_in, alice, bob, there):
        sign_in(using(CHROME), alice)
        rows = RefreshToken.objects.filter(user__in=[alice, bob])
        colleague.post(SESSIONS, {"action": "end_sessions", "_selected_action": [row.pk for row in rows], **CONFIRMED})
        assert {row.user.username: row.reason for row in rows.all()} == {"alice": "", "bob": "admin"}

    def test_has_no_forms_for_the_others(self, colleague, alice, carol, dave):
        for person in (alice, carol, dave):
            page = colleague.get(f"{USERS}{person.pk}/change/")
            assert not page.context["has_change_permission"]
            assert page.context["available_actions"] == []
            assert colleague.post(f"{USERS}{person.pk}/change/", {"email": "carol@example.com"}).status_code == 403
            assert colleague.post(f"{USERS}{person.pk}/delete/", {"post": "yes"}).status_code == 403
        fields = {"action": "delete_selected", "_selected_action": [alice.pk, dave.pk], "post": "yes"}
        colleague.post(USERS, fields)
        assert User.objects.count() == 3

    def test_gives_no_rights(self, colleague, bob):
        form = colleague.get(f"{USERS}{bob.pk}/change/").context["adminform"].form
        assert not form.fields.keys() & {"is_staff", "is_superuser", "groups", "user_permissions"}
        fields = FORMS["user change"] | {"is_staff": "on", "is_superuser": "on", "user_permissions": ["1"]}
        assert colleague.post(f"{USERS}{bob.pk}/change/", fields).status_code == 302
        bob.refresh_from_db()
        assert (bob.first_name, bob.is_staff, bob.is_superuser) == ("Robert", False, False)
        assert not bob.user_permissions.exists()

    def test_gives_a_superuser_no_rights_of_their_own_to_change(self, admin, alice, bob):
        def fields(person):
            return admin.get(f"{USERS}{person.pk}/change/").context["adminform"].form.fields.keys()

        assert fields(bob) - fields(alice) == {"is_active", "is_staff", "is_superuser", "groups", "user_permissions"}


def test_no_more_are_changed_at_once_than_a_request_is_good_for(admin, bob, monkeypatch):
    monkeypatch.setattr("accounts.admin.mixins.MAX_SELECTED", 1)
    for all_of_them in ("1", "true"):
        do(admin, "end_sessions", bob, select_across=all_of_them)
    assert happened(bob) == []


FORMS = {
    "user add": {"username": "eve", "email": "eve@example.org"},
    "user change": {
        **{"username": "bob", "email": "bob@example.org", "first_name": "Robert", "is_active": "on"},
        **{"refresh_tokens-TOTAL_FORMS": 0, "refresh_tokens-INITIAL_FORMS": 0},
    },
    "group add": {"name": "foes"},
    "group change": {"name": "foes"},
}

# What one permission is good for, beside those to look. All others are good for nothing.
ALLOWED = {
    "change_user": {"user change"},
    "delete_user": {"user delete", "user: delete_selected"},
    "deactivate_user": {"user: deactivate"},
    "reset_user": {"user: send_reset"},
    "export_user": {"user: export"},
    "remove_factors_user": {"user: remove_factors"},
    "end_refreshtoken": {"user: end_sessions", "refreshtoken: end_sessions"},
    "export_securityevent": {"securityevent csv"},
}
TOGETHER = [(("add_user", "change_user"), {"user add", "user change"})]  # Django's rule
SUPERUSERS = {"group add", "group change", "group delete", "group: delete_selected"}


@pytest.fixture
def onlooker(carol):
    """Carol, who may look at everything."""
    carol.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return carol


@pytest.fixture
def available_actions(bob, there):
    """Every form that the admin takes, as an address and fields, by name; each is about Bob or what is his."""
    outbox.enqueue("account_exists", bob)
    Authenticator.objects.create(user=bob, secret="x")
    Group.objects.create(name="friends")
    found = {"securityevent csv": ("/admin/accounts/securityevent/csv/", {})}
    for model, its_admin in admin_site.site._registry.items():
        name, row = model._meta.model_name, bob if model is User else model.objects.first()
        key = getattr(row, "pk", 0)
        base = f"/admin/{model._meta.app_label}/{name}/"
        for action in {*its_admin.actions, "delete_selected"}:
            fields = {"action": action, "_selected_action": str(key), "post": "yes", **CONFIRMED}
            found[f"{name}: {action}"] = (base, fields)
        for form, where in (("add", "add/"), ("change", f"{key}/change/"), ("delete", f"{key}/delete/")):
            found[f"{name} {form}"] = (base + where, FORMS.get(f"{name} {form}", {"post": "yes", "name": "x"}))
        found[f"{name} history"] = (f"{base}{key}/history/", {"post": "yes"})
    return found


def everything():
    """Every row of every table that anything could change."""
    models = [model for model in apps.get_models(include_auto_created=True) if model not in (Permission, ContentType)]
    return [list(model._base_manager.order_by("pk").values()) for model in models]


def done(client, available_actions):
    """The names of those that changed anything."""
    before, changed = everything(), set()
    for name, (url, fields) in available_actions.items():
        with transaction.atomic():
            assert client.post(url, fields).status_code in (200, 302, 403, 405), name
            if everything() != before:
                changed.add(name)
            transaction.set_rollback(True)
    return changed


@pytest.mark.once
@pytest.mark.parametrize(
    ("codenames", "names"), [*(([codename], names) for codename, names in ALLOWED.items()), *TOGETHER]
)
def test_a_permission_is_good_for_what_it_says(client, onlooker, available_actions, sign_in, codenames, names):
    onlooker.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    sign_in(client, onlooker)
    assert done(client, available_actions) == names


@pytest.mark.once
def test_all_others_together_are_good_for_nothing(client, onlooker, available_actions, sign_in):
    onlooker.user_permissions.set(Permission.objects.exclude(codename__in=ALLOWED))
    sign_in(client, onlooker)
    assert done(client, available_actions) == set()


def test_superusers_do_all_of_it_and_write_down_each(client, alice, available_actions, sign_in):
    sign_in(client, alice)
    before = set(SecurityEvent.objects.values_list("pk", flat=True))
    expected = set().union(*ALLOWED.values(), TOGETHER[0][1], SUPERUSERS)
    assert done(client, available_actions) == expected
    for name in expected:
        url, fields = available_actions[name]
        with transaction.atomic():
            client.post(url, fields)
            written = SecurityEvent.objects.exclude(pk__in=before)
            assert {event.actor for event in written} == {alice}, name
            transaction.set_rollback(True)


def test_the_box_that_closes_an_account_is_for_whoever_may_close_it(staff, bob):
    fields = {name: value for name, value in FORMS["user change"].items() if name != "is_active"}
    for codenames, active in ((["change_user"], True), (["change_user", "deactivate_user"], False)):
        staff("view_user", *codenames).post(f"{USERS}{bob.pk}/change/", fields)
        bob.refresh_from_db()
        assert (bob.first_name, bob.is_active) == ("Robert", active)
