"""Home and profile, and the events of an account."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import SecurityEvent, User
from accounts.models.event import AppendOnlyError
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind


class TestHome:
    def test_a_visitor_reads_what_this_is(self, client, db):
        page = client.get("/").content.decode()

        assert "Stay signed in. Stay in charge." in page
        assert reverse("signup") in page

    def test_costs_nobody_a_query(self, client, bob, sign_in, django_assert_num_queries):
        with django_assert_num_queries(0):
            client.get("/")
        sign_in(client, bob)
        client.get("/")

        with django_assert_num_queries(0):
            assert "Hello, bob." in client.get("/").content.decode()

    @pytest.mark.parametrize(("who", "led"), [("alice", True), ("bob", False)])
    def test_leads_to_the_admin_whoever_may_go_there(self, client, alice, bob, sign_in, who, led):
        sign_in(client, User.objects.get(username=who))

        assert (reverse("admin:index") in client.get("/").content.decode()) is led

    def test_every_page_has_the_way_out(self, client, alice, sign_in):
        sign_in(client, alice)

        for url in (
            "/",
            "/accounts/profile/",
            "/accounts/sessions/",
            "/accounts/activity/",
            "/accounts/password/change/",
        ):
            assert 'action="/accounts/logout/"' in client.get(url).content.decode()


class TestProfile:
    def test_saves_the_names(self, client, bob, sign_in):
        sign_in(client, bob)

        page = client.post(
            "/accounts/profile/", {"first_name": "Bob", "last_name": "Doe"}, follow=True
        ).content.decode()

        bob.refresh_from_db()
        assert bob.get_full_name() == "Bob Doe"
        assert "Your profile was saved." in page
        assert SecurityEvent.objects.first().kind == Kind.PROFILE_CHANGED

    def test_takes_no_other_field(self, client, bob, sign_in):
        sign_in(client, bob)
        before = (
            User.objects.filter(pk=bob.pk).values("is_staff", "is_superuser", "email", "username", "password").get()
        )

        client.post(
            "/accounts/profile/",
            {
                "first_name": "B",
                "last_name": "",
                "is_staff": "on",
                "is_superuser": "on",
                "email": "x@y.zz",
                "username": "root",
            },
        )

        assert User.objects.filter(pk=bob.pk).values(*before).get() == before

    def test_shows_name_and_address(self, client, bob, sign_in):
        sign_in(client, bob)

        assert "bob@example.org" in client.get("/accounts/profile/").content.decode()


class TestSecurityEvent:
    def test_is_never_changed(self, bob):
        event = SecurityEvent.objects.record(None, bob, Kind.SIGNED_IN)
        event.kind = Kind.SIGNED_OUT

        with pytest.raises(AppendOnlyError):
            event.save()
        with pytest.raises(AppendOnlyError):
            SecurityEvent.objects.update(kind=Kind.SIGNED_OUT)
        assert SecurityEvent.objects.get().kind == Kind.SIGNED_IN

    def test_is_never_deleted(self, bob):
        event = SecurityEvent.objects.record(None, bob, Kind.SIGNED_IN)

        with pytest.raises(AppendOnlyError):
            event.delete()
        with pytest.raises(AppendOnlyError):
            SecurityEvent.objects.all().delete()
        assert SecurityEvent.objects.exists()

    def test_outlives_its_person(self, bob, alice):
        SecurityEvent.objects.record(None, bob, Kind.SIGNED_IN, by=alice)

        User.objects.all().delete()

        event = SecurityEvent.objects.get(kind=Kind.SIGNED_IN)
        assert (event.user, event.by) == (None, None)

    def test_keeps_who_what_when_and_from_where(self, rf, bob, alice):
        session = uuid4()
        request = rf.get("/", headers={"user-agent": "x" * 400}, REMOTE_ADDR="2001:db8::1")

        SecurityEvent.objects.record(request, bob, Kind.SESSION_ENDED, session=session, by=alice)

        event = SecurityEvent.objects.get()
        assert (event.user, event.by, event.kind, event.session) == (bob, alice, Kind.SESSION_ENDED, session)
        assert (event.address, event.user_agent) == ("2001:db8::1", "x" * 300)
        assert timezone.now() - event.at < timedelta(minutes=1)

    def test_what_one_does_oneself_is_done_by_nobody_else(self, bob):
        assert SecurityEvent.objects.record(None, bob, Kind.SIGNED_OUT, by=bob).by is None

    @pytest.mark.parametrize("address", ["", "unix:", "not an address"])
    def test_takes_a_server_that_tells_no_address(self, rf, bob, address):
        assert SecurityEvent.objects.record(rf.get("/", REMOTE_ADDR=address), bob, Kind.SIGNED_IN).address is None

    def test_a_sign_in_is_recorded_with_its_session(self, client, bob, sign_in):
        sign_in(client, bob)

        event = SecurityEvent.objects.get()
        assert (event.kind, event.user, event.session) == (Kind.SIGNED_IN, bob, RefreshToken.objects.get().pk)
