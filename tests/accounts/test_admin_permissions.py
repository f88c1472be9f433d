"""Who may do what in the admin: every form and every action that it has, sent by people with one permission each."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from accounts import mails
from accounts.models import OutgoingMail, SecurityEvent, User
from tests.accounts.conftest import CHROME
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

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
    "end_refreshtoken": {"user: end_sessions", "refreshtoken: end_sessions"},
    "export_securityevent": {"securityevent csv"},
}
TOGETHER = {("add_user", "change_user"): {"user add", "user change"}}  # Django's rule
SUPERUSERS = {"group add", "group change", "group delete", "group: delete_selected"}


@pytest.fixture
def carol(db):
    """On the staff, and may look at everything."""
    person = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return person


@pytest.fixture
def deeds(bob, using, sign_in):
    """Every form that the admin takes, as an address and fields, by name; each is about Bob or what is his."""
    sign_in(using(CHROME), bob)
    mails.send("account_exists", bob)
    rows = {User: bob, Group: Group.objects.create(name="friends")}
    rows |= {model: model.objects.get() for model in (RefreshToken, OutgoingMail, SecurityEvent)}
    found = {"securityevent csv": ("/admin/accounts/securityevent/csv/", {})}
    for model, its_admin in admin.site._registry.items():
        name, key = model._meta.model_name, rows[model].pk
        base = f"/admin/{model._meta.app_label}/{name}/"
        for action, *_ in map(its_admin.get_action, {*its_admin.actions, "delete_selected"}):
            fields = {"action": action.__name__, "_selected_action": str(key), "post": "yes"}
            found[f"{name}: {action.__name__}"] = (base, fields)
        for form, where in (("add", "add/"), ("change", f"{key}/change/"), ("delete", f"{key}/delete/")):
            found[f"{name} {form}"] = (base + where, FORMS.get(f"{name} {form}", {"post": "yes", "name": "x"}))
        found[f"{name} history"] = (f"{base}{key}/history/", {"post": "yes"})
    return found


def allow(person, *codenames):
    person.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


TABLES = [model for model in apps.get_models(include_auto_created=True) if model not in (Permission, ContentType)]


def everything():
    """Every row of every table that anything could change."""
    return [list(model._base_manager.order_by("pk").values()) for model in TABLES]


def done(client, deeds):
    """The names of those that changed anything."""
    before, changed = everything(), set()
    for name, (url, fields) in deeds.items():
        with transaction.atomic():
            assert client.post(url, fields).status_code in (200, 302, 403, 405), name
            if everything() != before:
                changed.add(name)
            transaction.set_rollback(True)
    return changed


def test_whoever_may_only_look_changes_nothing(client, carol, deeds, sign_in):
    sign_in(client, carol)

    assert done(client, deeds) == set()


@pytest.mark.once
@pytest.mark.parametrize("codename", ALLOWED)
def test_a_permission_is_good_for_what_it_says(client, carol, deeds, sign_in, codename):
    allow(carol, codename)
    sign_in(client, carol)

    assert done(client, deeds) == ALLOWED[codename]


@pytest.mark.once
@pytest.mark.parametrize("codenames", TOGETHER)
def test_some_are_good_for_more_together(client, carol, deeds, sign_in, codenames):
    allow(carol, *codenames)
    sign_in(client, carol)

    assert done(client, deeds) == TOGETHER[codenames]


@pytest.mark.once
def test_all_others_together_are_good_for_nothing(client, carol, deeds, sign_in):
    carol.user_permissions.set(Permission.objects.exclude(codename__in=ALLOWED))
    sign_in(client, carol)

    assert done(client, deeds) == set()


def test_superusers_do_all_of_it_and_write_down_each(client, alice, deeds, sign_in):
    sign_in(client, alice)
    before = set(SecurityEvent.objects.values_list("pk", flat=True))
    expected = set().union(*ALLOWED.values(), *TOGETHER.values(), SUPERUSERS)

    assert done(client, deeds) == expected

    for name in expected:
        url, fields = deeds[name]
        with transaction.atomic():
            client.post(url, fields)
            written = SecurityEvent.objects.exclude(pk__in=before)
            assert {event.by for event in written} == {alice}, name
            transaction.set_rollback(True)


@pytest.mark.parametrize("codename", ["deactivate_user", "reset_user", "export_user", "end_refreshtoken"])
def test_what_one_may_do_has_a_button_and_what_not_has_none(client, carol, bob, deeds, sign_in, codename):
    allow(carol, codename)
    sign_in(client, carol)

    page = client.get(f"/admin/accounts/user/{bob.pk}/change/")

    assert {f"user: {name}" for name, _ in page.context["deeds"]} == {
        each for each in ALLOWED[codename] if "user:" in each
    }


def test_the_box_that_closes_an_account_is_for_whoever_may_close_it(client, carol, bob, deeds, sign_in):
    allow(carol, "change_user")
    sign_in(client, carol)
    url, fields = deeds["user change"]
    fields = {name: value for name, value in fields.items() if name != "is_active"}

    client.post(url, fields)
    bob.refresh_from_db()
    assert (bob.first_name, bob.is_active) == ("Robert", True)

    allow(carol, "deactivate_user")
    client.post(url, fields)
    bob.refresh_from_db()
    assert not bob.is_active
