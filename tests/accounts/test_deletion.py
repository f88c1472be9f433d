"""Deleting an account: asked for, thought over, done."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts import deletion, mails
from accounts.models import AddressProof, OutgoingMail, SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX
from tests.accounts.proving import QUESTION, answer, forget_proofs
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, jar
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

DELETE, KEEP, LOGIN = "/accounts/delete/", "/accounts/keep/", "/accounts/login/"
Kind = SecurityEvent.Kind


@pytest.fixture
def here(using, bob, sign_in):
    """Bob's browser."""
    client = using(FIREFOX)
    sign_in(client, bob)
    return client


@pytest.fixture
def leaving(here, bob):
    """Bob, who has asked to be deleted."""
    here.post(DELETE)
    bob.refresh_from_db()
    return bob


def kinds():
    return list(SecurityEvent.objects.order_by("pk").values_list("kind", flat=True))


def words(response):
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode().partition("<main")[2]).split())


def in_days(days):
    return f"{timezone.now() + timedelta(days=days):%-d %B %Y}"


class TestDelete:
    def test_says_what_will_happen_and_when(self, here):
        page = words(here.get(DELETE))

        assert f"Until {in_days(14)} Nothing is lost for 14 days. Sign in, and you can keep the account." in page
        assert "Your account is deleted for good" in page

    def test_only_a_post_does_anything(self, here, bob):
        for method in ("get", "head", "options"):
            getattr(here, method)(DELETE)

        bob.refresh_from_db()
        assert bob.leaving_at is None

    def test_ends_every_session_and_names_the_day(self, here, bob, using, sign_in):
        there = using(CHROME)
        sign_in(there, bob)

        response = here.post(DELETE, follow=True)

        bob.refresh_from_db()
        assert timedelta(days=13, hours=23) < bob.leaving_at - timezone.now() <= deletion.GRACE
        assert response.redirect_chain == [(LOGIN, 302)]
        assert f"your account will be deleted on {in_days(14)}." in words(response)
        assert not RefreshToken.objects.live().exists()
        assert here.get(DELETE).status_code == there.get(DELETE).status_code == 302
        assert bob.is_active

    def test_leaves_nothing_in_the_browser(self, here):
        response = here.post(DELETE)

        assert set(jar(here).values()) == {""}
        assert response.headers["Clear-Site-Data"] == '"cache"'

    def test_is_written_down_and_told_by_mail(self, here, bob, committing):
        with committing():
            here.post(DELETE)

        assert kinds() == [Kind.SIGNED_IN, Kind.DELETION_ASKED]
        [message] = mail.outbox
        assert (message.subject, message.to) == ("Your account is to be deleted", ["bob@example.org"])
        assert in_days(14) in message.body
        assert "Firefox 128 on Linux" in message.body
        assert "http://testserver/accounts/login/" in message.body

    def test_whoever_asks_second_moves_no_day(self, rf, bob):
        first, _ = (deletion.ask(rf.post(DELETE), bob) for _ in range(2))

        assert User.objects.get().leaving_at == first
        assert kinds() == [Kind.DELETION_ASKED]

    def test_asks_for_the_password_first(self, here, bob):
        forget_proofs()
        page = here.post(DELETE)
        bob.refresh_from_db()
        assert (QUESTION in words(page), bob.leaving_at) == (True, None)

        assert answer(here, page).headers["Location"] == LOGIN
        bob.refresh_from_db()
        assert bob.leaving_at

    def test_needs_the_token_of_the_form(self, here, bob):
        here.handler.enforce_csrf_checks = True

        assert here.post(DELETE).status_code == 403
        bob.refresh_from_db()
        assert bob.leaving_at is None

    def test_nobody_is_sent_to_the_log_in(self, client, bob):
        assert client.get(DELETE).headers["Location"] == f"{LOGIN}?next={DELETE}"
        assert client.post(DELETE, {"user": bob.pk, "username": "bob"}).headers["Location"] == LOGIN
        assert not User.objects.exclude(leaving_at=None).exists()

    @pytest.mark.parametrize("change", [{"is_active": False}, None])
    def test_whoever_is_gone_in_the_middle_is_nobody(self, here, bob, change):
        here.get(DELETE)
        people = User.objects.filter(pk=bob.pk)
        people.update(**change) if change else people.delete()

        assert here.post(DELETE).headers["Location"] == LOGIN
        assert Kind.DELETION_ASKED not in kinds()

    def test_the_last_superuser_has_to_stay(self, client, alice, sign_in):
        User.objects.create_superuser("carol", "carol@example.org", PASSWORD, is_active=False)
        User.objects.create_superuser("dan", "dan@example.org", PASSWORD, leaving_at=timezone.now())
        sign_in(client, alice)

        for page in (client.get(DELETE), client.post(DELETE)):
            assert "Make another person a superuser first." in words(page)
            assert "Delete my account" not in words(page)
        alice.refresh_from_db()
        assert alice.leaving_at is None
        assert RefreshToken.objects.live().exists()

    def test_one_of_two_superusers_may_go(self, client, alice, bob, sign_in):
        User.objects.filter(pk=bob.pk).update(is_superuser=True)
        sign_in(client, alice)
        client.post(DELETE)

        assert deletion.is_last_superuser(User.objects.get(pk=bob.pk))
        assert User.objects.get(pk=alice.pk).leaving_at


class TestTheGrace:
    @pytest.mark.parametrize("wanted", [{}, {"next": "/accounts/profile/"}, {"next": "//evil.example"}])
    def test_signing_in_leads_to_the_question(self, leaving, client, sign_in, wanted):
        response = sign_in(client, leaving, **wanted)

        assert response.headers["Location"] == KEEP
        page = words(client.get(KEEP))
        assert f"It is to be deleted on {in_days(14)}." in page
        assert "Keep my account" in page and "Let it go, and sign out" in page

    @pytest.mark.parametrize("url", ["profile", "sessions", "activity", "password_change", "delete", "login"])
    def test_other_pages_lead_there_too(self, leaving, client, sign_in, url):
        sign_in(client, leaving)

        assert client.get(reverse(url)).headers["Location"] == KEEP

    def test_the_admin_leads_there_too(self, client, alice, bob, sign_in):
        User.objects.filter(pk=alice.pk).update(leaving_at=timezone.now())
        sign_in(client, alice)

        for url in ("/admin/", f"/admin/accounts/user/{bob.pk}/delete/"):
            assert client.post(url, {"post": "yes"}).headers["Location"] == KEEP
        assert User.objects.filter(pk=bob.pk).exists()

    def test_asks_nobody_else_and_costs_no_query(self, here, django_assert_num_queries):
        assert here.get(KEEP).headers["Location"] == "/"
        with django_assert_num_queries(0):
            here.get("/")
        with django_assert_num_queries(1):  # the row, as always
            here.get("/accounts/profile/")

    def test_keeping_it_is_one_button(self, leaving, client, sign_in, committing):
        sign_in(client, leaving)
        with committing():
            response = client.post(KEEP, follow=True)

        leaving.refresh_from_db()
        assert leaving.leaving_at is None
        assert response.redirect_chain == [("/", 302)]
        assert "Your account stays. Good to have you back." in words(response)
        assert kinds()[-1] == Kind.DELETION_WITHDRAWN
        assert client.get("/accounts/profile/").status_code == 200

    def test_whoever_asks_second_keeps_nothing(self, leaving):
        """As a request does that read the person before another one kept them."""
        assert [deletion.keep(None, leaving) for _ in range(2)] == [True, False]
        assert kinds().count(Kind.DELETION_WITHDRAWN) == 1

    def test_only_a_post_with_the_token_keeps_it(self, leaving, client, sign_in):
        sign_in(client, leaving)
        client.handler.enforce_csrf_checks = True
        for method in ("get", "head", "options", "post"):
            getattr(client, method)(KEEP)

        leaving.refresh_from_db()
        assert leaving.leaving_at

    def test_nobody_elses_is_kept(self, leaving, client, alice, sign_in):
        sign_in(client, alice)
        client.post(KEEP, {"user": leaving.pk, "username": "bob"})

        leaving.refresh_from_db()
        assert leaving.leaving_at
        assert Kind.DELETION_WITHDRAWN not in kinds()

    def test_one_can_go_on_out(self, leaving, client, sign_in):
        sign_in(client, leaving)
        client.post("/accounts/logout/")

        leaving.refresh_from_db()
        assert leaving.leaving_at
        assert not RefreshToken.objects.live().exists()

    def test_the_data_can_still_be_taken_along(self, leaving, client, sign_in):
        sign_in(client, leaving)

        assert client.post("/accounts/export/").json()["account"]["leaving_at"] == leaving.leaving_at.isoformat()

    def test_a_mail_that_was_late_is_not_sent_to_whoever_stays(self, leaving, client, sign_in):
        sign_in(client, leaving)
        OutgoingMail.objects.exclude(kind="deletion_asked").delete()
        deletion.keep(None, leaving)
        from accounts import postman

        postman.deliver()

        assert not mail.outbox and not OutgoingMail.objects.exists()

    def test_programs_are_refused_and_told_why_once_they_know_the_password(self, leaving, client):
        def sign_in(password):
            body = {"username": "bob", "password": password}
            return client.post("/api/auth/login", body, content_type="application/json")

        assert sign_in("wrong").json()["detail"] == "The user name or the password is not right."
        refused = sign_in(PASSWORD)
        assert refused.status_code == 401
        assert refused.json()["detail"] == "This account is to be deleted. Sign in on the site to keep it."
        assert not RefreshToken.objects.live().exists()

    def test_the_log_in_tells_nobody_who_is_leaving(self, leaving, using):
        answers = {
            using(FIREFOX).post(LOGIN, {"username": name, "password": "wrong"}).status_code for name in ("bob", "no")
        }
        assert answers == {200}


class TestAnonymise:
    """Whoever deletes a person, and however."""

    @pytest.fixture
    def known(self, here, bob, alice, using, sign_in, rf):
        """Bob, of whom the site knows all that it can."""
        here.post(reverse("session_name", args=[RefreshToken.objects.get().pk]), {"name": "Bob's own laptop"})
        request = rf.get("/", headers={"user-agent": "the browser of bob"}, REMOTE_ADDR="203.0.113.7")
        SecurityEvent.objects.record(request, bob, Kind.PROFILE_CHANGED)
        SecurityEvent.objects.record(request, alice, Kind.ALL_ENDED, by=bob)
        mails.send("password_changed", bob, request)
        AddressProof.objects.create(user=bob, address="other@example.org", previous="bob@example.org")
        people = ContentType.objects.get_for_model(User)
        LogEntry.objects.create(
            user=alice, content_type=people, object_id=bob.pk, object_repr="bob", action_flag=CHANGE, change_message="x"
        )
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
        assert [(event.user, event.by) for event in by_an_administrator] == ([(None, alice)] if how == "admin" else [])
        assert SecurityEvent.objects.count() == events + by_an_administrator.count()
        mine = SecurityEvent.objects.exclude(user=alice).exclude(kind=Kind.DELETED)
        assert {(event.user, event.address, event.user_agent) for event in mine} == {(None, None, "")}
        done = SecurityEvent.objects.get(user=alice, kind=Kind.ALL_ENDED)
        assert (done.by, done.address, done.user_agent) == (None, None, "")
        row = RefreshToken.objects.exclude(user=alice).get()
        assert (row.user, row.name, row.user_agent, row.ip_address) == (None, "", "", None)
        assert row.revoked_at
        assert not OutgoingMail.objects.filter(kind="password_changed").exists()
        assert not AddressProof.objects.exists()
        assert not LogEntry.objects.exclude(object_repr="").filter(change_message="x").exists()

    def test_leaves_everybody_else_as_they_were(self, known, client, alice, sign_in):
        sign_in(client, alice)
        before = list(SecurityEvent.objects.filter(user=alice, by=None).values())
        known.delete()

        assert list(SecurityEvent.objects.filter(user=alice, by=None).exclude(kind=Kind.ALL_ENDED).values()) == before
        assert RefreshToken.objects.get(user=alice).user_agent == ""
        assert RefreshToken.objects.get(user=alice).ip_address == "127.0.0.1"

    def test_events_can_still_not_be_changed(self, bob):
        event = SecurityEvent.objects.record(None, bob, Kind.SIGNED_IN)
        with pytest.raises(TypeError):
            SecurityEvent.objects.filter(pk=event.pk).update(kind=Kind.SIGNED_OUT)


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    def test_a_double_click_asks_once(self, here, bob):
        twins = [copy_of(here) for _ in range(4)]

        answers = together([lambda twin=twin: twin.post(DELETE).headers["Location"] for twin in twins])

        assert set(answers) == {LOGIN}
        assert kinds().count(Kind.DELETION_ASKED) == 1
        assert [message.subject for message in mail.outbox] == ["Your account is to be deleted"]

    def test_a_double_click_keeps_once(self, leaving, client, sign_in):
        sign_in(client, leaving)
        twins = [copy_of(client) for _ in range(4)]

        answers = together([lambda twin=twin: twin.post(KEEP).headers["Location"] for twin in twins])

        assert set(answers) == {"/"}
        assert kinds().count(Kind.DELETION_WITHDRAWN) == 1

    def test_of_two_superusers_one_stays(self, rf, alice):
        carol = User.objects.create_superuser("carol", "carol@example.org", PASSWORD)

        def ask(user):
            try:
                return deletion.ask(rf.post(DELETE), user)
            except deletion.LastSuperuser:
                return None

        for _ in range(5):
            User.objects.update(leaving_at=None)
            together([lambda user=user: ask(user) for user in (alice, carol)])
            assert User.objects.filter(leaving_at=None).count() == 1

    def test_a_person_is_kept_or_deleted_and_never_half(self, rf, db):
        for number in range(5):
            user = User.objects.create_user(f"u{number}", f"u{number}@example.org", PASSWORD, leaving_at=timezone.now())
            SecurityEvent.objects.record(None, user, Kind.SIGNED_IN)
            kept, deleted = together(
                [lambda user=user: deletion.keep(rf.post(KEEP), user), lambda user=user: deletion.delete(user)]
            )
            assert kept is not deleted
            assert User.objects.filter(pk=user.pk, leaving_at=None).exists() is kept
            assert SecurityEvent.objects.filter(user_id=user.pk, kind=Kind.SIGNED_IN).exists() is kept

    def test_signing_in_beside_it_opens_no_page(self, here, bob):
        """Whether the sign-in is ended with the others or comes after them."""
        browsers = [Client() for _ in range(3)]
        form = {"username": "bob", "password": PASSWORD}

        together(
            [lambda: here.post(DELETE), *(lambda browser=browser: browser.post(LOGIN, form) for browser in browsers)]
        )

        for browser in browsers:
            assert browser.get("/accounts/profile/").headers["Location"].partition("?")[0] in (KEEP, LOGIN)
