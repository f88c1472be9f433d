"""The lists of the admin: what they tell of people and sessions, and what is done from them."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils import timezone

from accounts.models import SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX
from tests.accounts.proving import answer, forget_proofs
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

Reason = RefreshToken.Reason

USERS = "/admin/accounts/user/"
SESSIONS = "/admin/tokens/refreshtoken/"


def page_of(client, url, **query):
    response = client.get(url, query)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def row_of(user):
    return RefreshToken.objects.get(user=user)


def own_page(row):
    return reverse("admin:tokens_refreshtoken_change", args=[row.pk])


class TestSessions:
    def test_show_their_browser_in_words(self, admin, bob, there):
        assert "Chrome 131 on Windows" in page_of(admin, SESSIONS)
        assert CHROME not in page_of(admin, SESSIONS)
        assert CHROME in page_of(admin, own_page(row_of(bob)))

    @pytest.mark.parametrize(
        ("state", "mine", "his"), [("live", True, False), ("ended", False, True), ("", True, True)]
    )
    def test_are_found_by_whether_they_are_live(self, admin, alice, bob, there, state, mine, his):
        row_of(bob).revoke(Reason.ENDED)

        page = page_of(admin, SESSIONS, **{"state": state} if state else {})

        assert (own_page(row_of(alice)) in page, own_page(row_of(bob)) in page) == (mine, his)


class TestEndThisSession:
    """The button on the page of one session."""

    def press(self, client, row):
        """Send what the button holds."""
        page = page_of(client, own_page(row))
        form = re.search(r'<form method="post" action="([^"]+)">((?:(?!</form>).)*)<button class="end">', page)
        assert form, page
        fields = re.findall(r'name="([^"]+)" value="([^"]*)"', form[2])
        return client.post(form[1], dict(fields), follow=True)

    def test_ends_it_and_no_other(self, admin, alice, bob, there):
        page = self.press(admin, row_of(bob)).content.decode()

        assert "1 session was ended." in page
        assert row_of(bob).reason == Reason.ADMIN
        assert row_of(alice).is_live

    def test_is_written_down_with_who_did_it(self, admin, alice, bob, there):
        self.press(admin, row_of(bob))

        event = SecurityEvent.objects.get(kind=SecurityEvent.Kind.SESSION_ENDED)
        assert (event.user, event.by, event.session) == (bob, alice, row_of(bob).pk)

    def test_asks_who_it_is_first(self, admin, bob, there):
        forget_proofs()

        question = self.press(admin, row_of(bob))
        assert row_of(bob).is_live

        answer(admin, question)
        assert not row_of(bob).is_live

    def test_is_not_there_when_it_is_over(self, admin, bob, there):
        row_of(bob).revoke(Reason.ENDED)

        assert "End this session" not in page_of(admin, own_page(row_of(bob)))

    def test_is_not_there_for_whoever_may_only_look(self, client, bob, there, sign_in):
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
        carol.user_permissions.set(Permission.objects.filter(codename="view_refreshtoken"))
        sign_in(client, carol)

        assert "End this session" not in page_of(client, own_page(row_of(bob)))
        client.post(SESSIONS, {"action": "end_sessions", "_selected_action": str(row_of(bob).pk)})
        assert row_of(bob).is_live


class TestLookups:
    @pytest.mark.parametrize(
        ("url", "query"),
        [
            (USERS, "password__startswith=argon2"),
            (SESSIONS, "auth_hash__startswith=0"),
            (SESSIONS, "jti__gt=0"),
            (SESSIONS, "user__password__startswith=argon2"),
            ("/admin/accounts/outgoingmail/", "facts__address__startswith=1"),
            ("/admin/accounts/securityevent/", "user__password__startswith=argon2"),
        ],
    )
    def test_ask_for_nothing_that_is_not_shown(self, admin, url, query):
        assert admin.get(f"{url}?{query}").status_code == 400


class TestSelection:
    @pytest.mark.parametrize("key", ["", "x", "1 OR 1=1", "\x00", "9" * 40, "-", "0x1", "1,2", "é", "null"])
    @pytest.mark.parametrize(
        ("url", "action"),
        [(USERS, "end_sessions"), (SESSIONS, "end_sessions"), ("/admin/auth/group/", "delete_selected")],
    )
    def test_that_cannot_be_read_is_told_so_and_nothing_is_done(self, admin, there, url, action, key):
        Group.objects.create(name="friends")
        keys = [key, *(str(row.pk) for row in RefreshToken.objects.all())] if url == SESSIONS else [key, "1"]

        response = admin.post(url, {"action": action, "_selected_action": keys, "post": "yes"}, follow=True)

        assert response.status_code == 200
        assert "What was selected could not be read. Nothing was changed." in response.content.decode()
        assert RefreshToken.objects.live().count() == 2
        assert Group.objects.exists()

    def test_of_what_is_gone_meanwhile_does_nothing(self, admin, there):
        for url, key in ((USERS, "99"), (SESSIONS, str(uuid4()))):
            response = admin.post(url, {"action": "end_sessions", "_selected_action": key}, follow=True)
            assert response.status_code == 200
        assert RefreshToken.objects.live().count() == 2


class TestPeople:
    def cells(self, client, name):
        """When somebody was last seen, and how many sessions they have, as the list says it."""
        [person] = [row for row in client.get(USERS).context["cl"].result_list if row.username == name]
        row = re.search(rf">{name}</a></th>(.*?)</tr>", page_of(client, USERS))[1]
        cells = dict(re.findall(r'<td class="field-(\w+)[^"]*">(.*?)</td>', row))
        return person.last_used_at, re.sub("<[^>]+>", "", cells["sessions"])

    def test_show_when_they_were_last_seen_and_how_many_sessions_they_have(self, admin, bob, using, sign_in):
        for user_agent in (CHROME, FIREFOX, "curl/8"):
            sign_in(using(user_agent), bob)
        ended, seen, idle = RefreshToken.objects.filter(user=bob).order_by("created_at")
        now = timezone.now()
        ended.revoke(Reason.ENDED)
        for row, ago in ((ended, 5), (seen, 2), (idle, 9)):
            RefreshToken.objects.filter(pk=row.pk).update(last_used_at=now - timedelta(hours=ago))

        assert self.cells(admin, "bob") == (now - timedelta(hours=2), "2")

    def test_whose_sessions_are_forgotten_were_seen_when_they_last_signed_in(self, admin, bob, there):
        RefreshToken.objects.filter(user=bob).delete()
        bob.refresh_from_db()

        assert self.cells(admin, "bob") == (bob.last_login, "0")

    def test_the_number_leads_to_these_sessions(self, admin, bob, there, using, sign_in):
        sign_in(using(FIREFOX), bob)
        RefreshToken.objects.get(user_agent=FIREFOX).revoke(Reason.ENDED)
        url = re.search(rf'href="({SESSIONS}\?user__id__exact={bob.pk}[^"]*)"', page_of(admin, USERS))[1]

        assert [row.user_agent for row in admin.get(url.replace("&amp;", "&")).context["cl"].queryset] == [CHROME]

    def test_cost_no_query_each(self, admin, there, using, sign_in, django_assert_num_queries):
        admin.get(USERS)  # the list of revocations is read once
        for number in range(2):
            with django_assert_num_queries(4):  # this row with its person, the people, their sessions, the groups
                admin.get(USERS)
            for letter in "abcde":
                name = f"{letter}{number}"
                sign_in(using(FIREFOX), User.objects.create_user(name, f"{name}@example.org", PASSWORD))

    def test_show_no_sessions_to_whoever_may_not_see_them(self, client, bob, there, sign_in):
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
        carol.user_permissions.set(Permission.objects.filter(codename="view_user"))
        sign_in(client, carol)

        assert "Live sessions" not in page_of(client, USERS)

    def test_are_given_groups_and_permissions_by_boxes(self, admin, bob):
        group = Group.objects.create(name="friends")
        page = admin.get(reverse("admin:accounts_user_change", args=[bob.pk]))
        fields = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
        fields |= {"refresh_tokens-TOTAL_FORMS": 0, "refresh_tokens-INITIAL_FORMS": 0}
        assert f'<input type="checkbox" name="groups" value="{group.pk}"' in page.content.decode()

        admin.post(page.wsgi_request.path, {**fields, "groups": [group.pk], "user_permissions": []})

        assert list(bob.groups.all()) == [group]
