"""The admin: one door, one session life, people who are changed there, and rows that are only read."""

import pytest
from django.apps import apps
from django.core import mail
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from accounts.factors import recovery_codes, totp
from accounts.mails import outbox
from accounts.models import Authenticator, Identity, OutgoingMail, Passkey, SecurityEvent, TrustedBrowser, User
from accounts.models.factors import TRUST_LIFETIME
from tests.accounts.conftest import sent
from tests.accounts.mail_contents import link_in
from tests.accounts.reauthenticating import QUESTION, answer, expire_reauthentication
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

Reason = RefreshToken.Reason


def change(user):
    return reverse("admin:accounts_user_change", args=[user.pk])


class TestTheDoor:
    def test_nobody_without_is_staff_gets_further_than_a_403(self, there, bob):
        for path in ("", "login/", "accounts/user/", "password_change/", "no/such/page/"):
            assert there.get(f"/admin/{path}").status_code == 403, path
        assert there.get(change(bob)).status_code == 403
        assert there.post("/admin/accounts/user/", {"action": "end_sessions"}).status_code == 403

    def test_a_visitor_is_led_to_the_one_log_in_page_and_back(self, client, alice, sign_in):
        response = client.get("/admin/accounts/user/", follow=True)
        assert response.redirect_chain[-1] == ("/accounts/login/?next=/admin/accounts/user/", 302)
        assert sign_in(client, alice, next="/admin/accounts/user/").headers["Location"] == "/admin/accounts/user/"
        assert client.get("/admin/accounts/user/").status_code == 200

    def test_the_log_in_page_of_the_admin_takes_no_password(self, client, alice):
        response = client.post("/admin/login/", {"username": "alice", "password": PASSWORD})
        assert response.headers["Location"].startswith("/accounts/login/")
        assert not RefreshToken.objects.exists()

    def test_staff_are_led_in_and_to_where_everybody_changes_a_password(self, admin):
        assert admin.get("/admin/login/").headers["Location"] == "/admin/"
        assert admin.get("/admin/password_change/").headers["Location"] == "/accounts/password/change/"

    def test_signing_out_there_is_signing_out(self, admin):
        assert admin.get("/admin/logout/").status_code == 405
        assert admin.post("/admin/logout/").headers["Location"] == "/accounts/login/"
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT


class TestPeople:
    def test_who_are_added_choose_their_password_by_a_mail_and_nobody_else_does(self, admin, alice, committing):
        typed = {"usable_password": "true", "password": PASSWORD, "password1": PASSWORD, "password2": PASSWORD}
        fields = {"username": "carol", **typed}
        assert admin.post("/admin/accounts/user/add/", fields).status_code == 200  # who has no address
        with committing():
            admin.post("/admin/accounts/user/add/", fields | {"email": "carol@B\u00fccher.example"})
        carol = User.objects.get(username="carol")
        assert carol == User.objects.by_login("carol@b\u00fccher.example").get()  # kept as it is looked for
        assert carol.has_usable_password() and not carol.check_password(PASSWORD)
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.actor) == ("signed_up", carol, alice)
        assert sent() == [("password_reset", ["carol@xn--bcher-kva.example"])]
        browser = Client()
        form = browser.get(link_in(mail.outbox[0])).headers["Location"]
        browser.post(form, {"new_password1": "chosen by herself", "new_password2": "chosen by herself"})
        carol.refresh_from_db()
        assert carol.check_password("chosen by herself")

    def test_keep_a_name_that_is_older_than_the_rules_and_get_none_that_breaks_them(self, admin, bob):
        bob.username = "b\u043eb"
        bob.save()
        assert self.save(admin, bob, first_name="Bob").status_code == 302
        page = self.save(admin, bob, username="b\u043ebby")
        assert page.context["adminform"].form.errors.keys() == {"username"}

    @pytest.mark.parametrize("clash", [{"username": "BOB"}, {"email": "BOB@EXAMPLE.ORG"}])
    def test_two_alike_are_refused(self, admin, bob, clash):
        User.objects.update(email_verified_at=timezone.now())
        fields = {"username": "carol", "email": "carol@example.org"}
        page = admin.post("/admin/accounts/user/add/", fields | clash)
        assert page.context["adminform"].form.errors
        assert User.objects.count() == 2

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
        assert (event.kind, event.user, event.actor.username) == ("deactivated", bob, "alice")

    def test_who_get_another_name_hear_of_it(self, admin, bob, committing):
        with committing():
            assert self.save(admin, bob, username="robert").status_code == 302
        assert sent() == [("username_changed", ["bob@example.org"])]
        assert mail.outbox[0].context == {
            "before": "bob",
            "after": "robert",
        }  # and nothing of the administrator's browser
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.actor.username) == ("username_changed", bob, "alice")

    def test_who_get_another_address_hear_of_it_at_the_old_one_and_can_take_it_back(self, admin, bob, committing):
        User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
        with committing():
            assert self.save(admin, bob, email="robert@example.org").status_code == 302
        assert sent() == [("email_changed", ["bob@example.org"])]
        bob.refresh_from_db()
        assert (bob.email, bob.email_verified_at) == ("robert@example.org", None)
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.actor.username) == ("email_changed", bob, "alice")
        browser = Client()
        browser.post(browser.get(link_in(mail.outbox[0])).headers["Location"])
        bob.refresh_from_db()
        assert bob.email == "bob@example.org"

    def test_have_passwords_that_nobody_sets_for_them(self, admin, bob, there):
        typed = {"usable_password": "true", "password1": "another entirely", "password2": "another entirely"}
        assert "password" not in admin.get(change(bob)).context["adminform"].form.fields
        admin.post(f"/admin/accounts/user/{bob.pk}/password/", typed)
        self.save(admin, bob, password="another entirely", **typed)
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)
        assert there.get("/accounts/profile/").status_code == 200

    @pytest.mark.parametrize(
        ("changes", "kind"), [({"first_name": "Robert"}, "profile_changed"), ({"is_staff": "on"}, "rights_changed")]
    )
    def test_whose_page_is_changed_find_it_in_their_history(self, admin, alice, bob, changes, kind):
        assert self.save(admin, bob, **changes).status_code == 302
        [event] = SecurityEvent.objects.filter(user=bob)
        assert (event.kind, event.actor) == (kind, alice)

    def test_who_are_deleted_are_out_at_once_and_leave_who_did_it_and_no_name(self, admin, alice, bob, there, carol):
        url = reverse("admin:accounts_user_delete", args=[bob.pk])
        assert admin.get(url).status_code == 200
        assert admin.post(url, {"post": "yes"}).status_code == 302
        fields = {"action": "delete_selected", "_selected_action": [carol.pk], "post": "yes"}
        admin.post("/admin/accounts/user/", fields)
        assert list(User.objects.all()) == [alice]
        assert there.get("/").context["request"].user.is_anonymous
        events = SecurityEvent.objects.filter(kind="deleted")
        assert [(event.user, event.actor) for event in events] == [(None, alice)] * 2

    def test_who_are_deleted_at_once_are_locked_in_the_order_of_their_keys(self, admin, bob, carol):
        fields = {"action": "delete_selected", "_selected_action": [carol.pk, bob.pk], "post": "yes"}
        with CaptureQueriesContext(connection) as queries:
            admin.post("/admin/accounts/user/?o=-1", fields)
        lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
        key = ".".join(map(connection.ops.quote_name, ("accounts_user", "id")))
        assert any(query["sql"].endswith(f"ORDER BY {key} ASC{lock}") for query in queries)


class TestProof:
    """Whatever is changed here is changed by somebody who has shown who they are within ten minutes."""

    @pytest.fixture(autouse=True)
    def a_while_ago(self, admin, there):
        expire_reauthentication()

    @pytest.mark.parametrize("wrong", [True, False])
    def test_is_asked_for_before_anything_changes_and_the_form_is_kept(self, admin, alice, bob, wrong):
        fields = {"action": "end_sessions", "_selected_action": [alice.pk, bob.pk], "confirmed": "yes"}
        page = admin.post("/admin/accounts/user/?o=1", fields)
        if wrong:
            page = answer(admin, page, "wrong")
        assert RefreshToken.objects.live().count() == 2
        answer(admin, page)
        assert not RefreshToken.objects.live().exists()

    def test_is_not_asked_for_to_look_or_to_leave(self, admin, bob):
        for url in ("/admin/", "/admin/accounts/user/", change(bob), "/admin/tokens/refreshtoken/"):
            assert QUESTION not in admin.get(url).content.decode()
        assert admin.post("/admin/logout/").headers["Location"] == "/accounts/login/"


class TestRows:
    @pytest.mark.parametrize("model", ["tokens_refreshtoken", "accounts_securityevent", "accounts_outgoingmail"])
    def test_are_read_and_never_added_edited_or_deleted(self, admin, bob, there, model):
        table = apps.get_model(*model.split("_"))
        outbox.enqueue("account_exists", bob)
        row = table.objects.filter(user=bob).first()
        before = list(table.objects.order_by("pk").values())
        assert admin.get(reverse(f"admin:{model}_changelist")).status_code == 200
        assert admin.get(reverse(f"admin:{model}_change", args=[row.pk])).status_code == 200
        for page, which in ("add", []), ("change", [row.pk]), ("delete", [row.pk]):
            answer = admin.post(reverse(f"admin:{model}_{page}", args=which), {"name": "x", "post": "yes"})
            assert answer.status_code == 403, page
        assert list(table.objects.order_by("pk").values()) == before

    def test_mails_that_wait_show_what_and_when_and_no_more(self, admin, bob):
        outbox.enqueue("new_browser", bob, RequestFactory().get("/", REMOTE_ADDR="203.0.113.7"))
        for page, which in ("changelist", []), ("change", [OutgoingMail.objects.get().pk]):
            shown = admin.get(reverse(f"admin:accounts_outgoingmail_{page}", args=which)).content.decode()
            assert "bob@example.org" in shown
            assert "new_browser" in shown
            assert "203.0.113.7" not in shown

    def test_a_persons_page_shows_their_sessions_and_changes_none(self, admin, bob, there):
        row = RefreshToken.objects.get(user=bob)
        assert reverse("admin:tokens_refreshtoken_change", args=[row.pk]) in admin.get(change(bob)).content.decode()
        fields = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "0-id": row.pk, "0-ip_address": "192.0.2.9", "0-DELETE": "on"}
        admin.post(change(bob), {f"refresh_tokens-{name}": value for name, value in fields.items()})
        assert RefreshToken.objects.get(pk=row.pk).ip_address == row.ip_address

    def test_a_persons_page_shows_their_factors_in_two_queries_and_no_secret(self, admin, bob):
        secret = totp.new_secret()
        app = Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
        codes = recovery_codes.renew(bob)
        recovery_codes.spend(bob, codes[0])
        Passkey.objects.create(user=bob, name="<Phone>", credential_id="credential", public_key=b"the key")
        Identity.objects.create(user=bob, provider="acme", subject="7", email="<bob>@example.org")
        TrustedBrowser.objects.create(user=bob, key="a" * 64, expires_at=timezone.now() + TRUST_LIFETIME)
        with CaptureQueriesContext(connection) as queries:
            page = admin.get(change(bob)).content.decode()
        sqls = [query["sql"] for query in queries]
        assert sum("accounts_passkey" in sql and "EXISTS" not in sql for sql in sqls) == 1
        assert sum("recoverycode" in sql for sql in sqls) == 1
        day = date_format(timezone.now(), "DATE_FORMAT")
        for line in (
            f"Passkey · &lt;Phone&gt; · Added on {day}",
            f"Authenticator app · Added on {day}",
            "Recovery codes · 9 left",
            f"acme · &lt;bob&gt;@example.org · Last used on {day}",
        ):
            assert line in page
        assert "Trusted browsers · 1" in page
        assert not [one for one in (secret, app.secret, "credential", "the key", "a" * 64, *codes) if one in page]


COLOURS = """() => {
  const style = (of) => getComputedStyle(document.querySelector(of));
  return [style("body").backgroundColor, style("body").color, style("main a").color];
}"""


@pytest.mark.django_db(transaction=True)
def test_wears_the_colours_of_the_site_and_its_switch_changes_all_of_it_in_a_browser(browser, live_server, admin):
    context = browser.new_context(base_url=live_server.url, color_scheme="light", reduced_motion="reduce")
    url = live_server.url.replace("http:", "https:")  # or Playwright keeps no Secure cookie
    context.add_cookies([{"name": name, "value": each.value, "url": url} for name, each in admin.cookies.items()])
    page = context.new_page()

    def colours(url):
        page.goto(url)
        return page.evaluate(COLOURS)

    light = colours(reverse("security"))
    assert colours(reverse("admin:index")) == light
    page.locator(".theme-toggle").click()
    dark = page.evaluate(COLOURS)
    assert all(before != after for before, after in zip(light, dark, strict=True))
    page.emulate_media(color_scheme="dark")
    assert colours(reverse("security")) == dark
    context.close()
