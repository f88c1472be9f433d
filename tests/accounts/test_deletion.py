"""Deleting an account: asked for, thought over, done."""

import re
from contextlib import suppress
from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts.account import deletion
from accounts.mails import outbox, worker
from accounts.models import EmailVerification, OutgoingMail, SecurityEvent, User
from tests.accounts.conftest import kinds, sent
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, jar
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

DELETE, KEEP, LOGIN = "/accounts/delete/", "/accounts/keep/", "/accounts/login/"
Kind = SecurityEvent.Kind


@pytest.fixture
def leaving(here, bob):
    """Bob, who has asked to be deleted."""
    here.post(DELETE)
    bob.refresh_from_db()
    return bob


def words(response):
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode().partition("<main")[2]).split())


def in_days(days):
    return f"{timezone.now() + timedelta(days=days):%-d %B %Y}"


class TestDelete:
    def test_ends_every_session_and_names_the_day(self, here, there, bob, committing):
        assert in_days(14) in words(here.get(DELETE))
        with committing():
            response = here.post(DELETE)
        assert set(jar(here).values()) == {""}
        assert response.headers["Location"] == LOGIN
        assert in_days(14) in words(here.get(LOGIN))
        bob.refresh_from_db()
        assert timedelta(days=13, hours=23) < bob.deletion_due_at - timezone.now() <= deletion.GRACE_PERIOD
        assert bob.is_active
        assert not RefreshToken.objects.live().exists()
        assert here.get(DELETE).status_code == there.get(DELETE).status_code == 302
        assert kinds()[2:] == [Kind.DELETION_ASKED]
        assert sent()[-1] == ("deletion_asked", ["bob@example.org"])
        assert in_days(14) in mail.outbox[-1].body

    def test_whoever_asks_second_moves_no_day(self, rf, bob):
        first, _ = (deletion.schedule(rf.post(DELETE), bob) for _ in range(2))
        assert User.objects.get().deletion_due_at == first
        assert kinds() == [Kind.DELETION_ASKED]

    def test_the_last_superuser_has_to_stay_and_one_of_two_may_go(self, client, alice, bob, sign_in):
        User.objects.create_superuser("carol", "carol@example.org", PASSWORD, is_active=False)
        User.objects.create_superuser("dan", "dan@example.org", PASSWORD, deletion_due_at=timezone.now())
        sign_in(client, alice)
        for page in (client.get(DELETE), client.post(DELETE)):
            assert page.context["is_last"]
            assert '<form method="post"' not in page.content.decode().partition("<main")[2].partition("</main")[0]
        alice.refresh_from_db()
        assert alice.deletion_due_at is None
        assert RefreshToken.objects.live().exists()
        User.objects.filter(pk=bob.pk).update(is_superuser=True)
        client.post(DELETE)
        assert deletion.is_last_superuser(User.objects.get(pk=bob.pk))
        assert User.objects.get(pk=alice.pk).deletion_due_at


class TestTheGrace:
    @pytest.mark.parametrize("wanted", [{}, {"next": "/accounts/profile/"}])
    def test_signing_in_leads_to_the_question_and_the_way_out_stays_open(self, leaving, client, sign_in, wanted):
        assert sign_in(client, leaving, **wanted).headers["Location"] == KEEP
        page = client.get(KEEP).content.decode()
        assert in_days(14) in page and 'action="/accounts/logout/"' in page
        document = client.post("/accounts/export/").json()
        assert document["account"]["deletion_due_at"] == leaving.deletion_due_at.isoformat()
        client.post("/accounts/logout/")
        leaving.refresh_from_db()
        assert leaving.deletion_due_at
        assert not RefreshToken.objects.live().exists()

    def test_other_pages_lead_there_too(self, leaving, client, sign_in):
        sign_in(client, leaving)
        for name in ("profile", "sessions", "password_change", "delete", "login"):
            assert client.get(reverse(name)).headers["Location"] == KEEP, name

    def test_the_admin_leads_there_too(self, client, alice, bob, sign_in):
        User.objects.filter(pk=alice.pk).update(deletion_due_at=timezone.now())
        sign_in(client, alice)
        assert client.get("/admin/").headers["Location"] == KEEP
        assert client.post(f"/admin/accounts/user/{bob.pk}/delete/", {"post": "yes"}).headers["Location"] == KEEP
        assert User.objects.filter(pk=bob.pk).exists()

    def test_asks_nobody_else_and_costs_no_query(self, here, django_assert_num_queries):
        assert here.get(KEEP).headers["Location"] == "/"
        with django_assert_num_queries(0):
            here.get("/")

    def test_keeping_it_is_one_button_of_its_person(self, leaving, client, alice, sign_in):
        other = Client()
        sign_in(other, alice)
        other.post(KEEP, {"user": leaving.pk, "username": "bob"})
        sign_in(client, leaving)
        client.head(KEEP)
        assert Kind.DELETION_WITHDRAWN not in kinds()
        assert client.post(KEEP).headers["Location"] == "/"
        leaving.refresh_from_db()
        assert leaving.deletion_due_at is None
        assert kinds()[-1] == Kind.DELETION_WITHDRAWN
        assert client.get("/accounts/profile/").status_code == 200

    def test_whoever_asks_second_keeps_nothing_and_a_late_mail_is_not_sent(self, leaving):
        """As a request does that read the person before another one kept them."""
        OutgoingMail.objects.exclude(kind="deletion_asked").delete()
        assert [deletion.cancel(None, leaving) for _ in range(2)] == [True, False]
        assert kinds().count(Kind.DELETION_WITHDRAWN) == 1
        worker.send_due()
        assert not mail.outbox and not OutgoingMail.objects.exists()

    def test_programs_are_refused_and_told_why_once_they_know_the_password(self, leaving, client):
        def sign_in(password):
            body = {"username": "bob", "password": password}
            return client.post("/api/auth/login", body, content_type="application/json")

        wrong, refused = sign_in("wrong"), sign_in(PASSWORD)
        assert wrong.status_code == refused.status_code == 401
        assert (wrong.json()["title"], refused.json()["title"]) == ("unauthorized", "deletion_pending")
        assert not RefreshToken.objects.live().exists()


class TestAnonymise:
    """Whoever deletes a person, and however."""

    @pytest.fixture
    def known(self, here, bob, alice, using, sign_in, rf):
        """Bob, of whom the site knows all that it can."""
        here.post(reverse("session_name", args=[RefreshToken.objects.get().pk]), {"name": "Bob's own laptop"})
        request = rf.get("/", headers={"user-agent": "the browser of bob"}, REMOTE_ADDR="203.0.113.7")
        SecurityEvent.objects.record(request, bob, Kind.PROFILE_CHANGED)
        SecurityEvent.objects.record(request, alice, Kind.ALL_ENDED, actor=bob)
        outbox.enqueue("password_changed", bob, request)
        EmailVerification.objects.create(user=bob, email="other@example.org", previous_email="bob@example.org")
        people = ContentType.objects.get_for_model(User)
        about = {"content_type": people, "object_id": bob.pk, "object_repr": "bob", "change_message": "x"}
        LogEntry.objects.create(user=alice, action_flag=CHANGE, **about)
        return bob

    @pytest.mark.parametrize("how", ["delete", "queryset", "admin"])
    def test_nothing_is_left_that_says_who_it_was(self, known, client, alice, sign_in, how):
        sign_in(client, alice)
        events = SecurityEvent.objects.count()
        if how == "delete":
            known.delete()
        elif how == "queryset":
            User.objects.filter(username="bob").delete()
        else:
            client.post(reverse("admin:accounts_user_delete", args=[known.pk]), {"post": "yes"})

        by_an_administrator = SecurityEvent.objects.filter(kind=Kind.DELETED)  # which says who did it
        assert [(event.user, event.actor) for event in by_an_administrator] == (
            [(None, alice)] if how == "admin" else []
        )
        assert SecurityEvent.objects.count() == events + by_an_administrator.count()
        mine = SecurityEvent.objects.exclude(user=alice).exclude(kind=Kind.DELETED)
        assert {(event.user, event.ip_address, event.user_agent) for event in mine} == {(None, None, "")}
        done = SecurityEvent.objects.get(user=alice, kind=Kind.ALL_ENDED)
        assert (done.actor, done.ip_address, done.user_agent) == (None, None, "")
        row = RefreshToken.objects.exclude(user=alice).get()
        assert (row.user, row.name, row.user_agent, row.ip_address) == (None, "", "", None)
        assert row.revoked_at
        assert "bob" not in LogEntry.objects.values_list("object_repr", flat=True)
        assert not OutgoingMail.objects.filter(kind="password_changed").exists()
        assert not EmailVerification.objects.exists()
        assert not LogEntry.objects.exclude(object_repr="").filter(change_message="x").exists()

    def test_leaves_everybody_else_as_they_were(self, known, client, alice, sign_in):
        sign_in(client, alice)
        events = SecurityEvent.objects.filter(user=alice, actor=None).exclude(kind=Kind.ALL_ENDED)
        before = list(events.values())
        known.delete()
        assert list(events.values()) == before
        assert RefreshToken.objects.get(user=alice).ip_address == "127.0.0.1"


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    def test_a_double_click_asks_once_and_keeps_once(self, here, client, bob, sign_in):
        for browser, url, leads, kind in (
            (here, DELETE, LOGIN, Kind.DELETION_ASKED),
            (client, KEEP, "/", Kind.DELETION_WITHDRAWN),
        ):
            sign_in(browser, bob)
            twins = [copy_of(browser) for _ in range(4)]
            answers = together([lambda twin=twin, url=url: twin.post(url).headers["Location"] for twin in twins])
            assert set(answers) == {leads}
            assert kinds().count(kind) == 1
        assert [message.kind for message in mail.outbox].count("deletion_asked") == 1

    def test_of_two_superusers_one_stays(self, rf, alice):
        carol = User.objects.create_superuser("carol", "carol@example.org", PASSWORD)

        def ask(user):
            with suppress(deletion.LastSuperuser):
                deletion.schedule(rf.post(DELETE), user)

        for _ in range(5):
            User.objects.update(deletion_due_at=None)
            together([lambda user=user: ask(user) for user in (alice, carol)])
            assert User.objects.filter(deletion_due_at=None).count() == 1

    def test_a_person_is_kept_or_deleted_and_never_half(self, rf, db):
        for number in range(5):
            user = User.objects.create_user(
                f"u{number}", f"u{number}@example.org", PASSWORD, deletion_due_at=timezone.now()
            )
            SecurityEvent.objects.record(None, user, Kind.SIGNED_IN)
            kept, deleted = together(
                [lambda user=user: deletion.cancel(rf.post(KEEP), user), lambda user=user: deletion.delete(user)]
            )
            assert kept is not deleted
            assert User.objects.filter(pk=user.pk, deletion_due_at=None).exists() is kept
            assert SecurityEvent.objects.filter(user_id=user.pk, kind=Kind.SIGNED_IN).exists() is kept

    def test_signing_in_beside_it_opens_no_page(self, here, bob):
        """Whether the sign-in is ended with the others or comes after them."""
        browsers = [Client() for _ in range(3)]
        form = {"username": "bob", "password": PASSWORD}
        signing_in = [lambda browser=browser: browser.post(LOGIN, form) for browser in browsers]
        together([lambda: here.post(DELETE), *signing_in])
        for browser in browsers:
            assert browser.get("/accounts/profile/").headers["Location"].partition("?")[0] in (KEEP, LOGIN)
