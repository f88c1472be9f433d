"""A passkey is offered once, after a password; and made unasked only for who has another factor."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.factors import passkey_offer, recovery_codes
from accounts.mails import messages as mail_messages
from accounts.models import Authenticator, FactorSettings, OutgoingMail, Passkey, SecurityEvent, User
from tests.factors.authenticator import BE, BS, PRESENT
from tests.factors.conftest import SECOND_FACTOR, SECURITY, PasskeyForms, give_password, options
from tests.factors.test_passkeys import use
from tokens.models import RefreshToken
from tokens.testing import Client

ADD = reverse("passkey_add")
OFFER = f'action="{ADD}"'


@pytest.fixture(autouse=True)
def confirmed(bob):
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())


def front_page(client):
    return client.get("/").content.decode()


class TestOffer:
    def test_once_on_the_front_page_at_no_query(self, bob, django_assert_num_queries):
        client = Client()
        assert give_password(client, can_add_passkey="true").url == "/"
        with django_assert_num_queries(0):
            page = client.get("/")
        assert OFFER in page.content.decode() and not PasskeyForms(page).options
        assert OFFER not in front_page(client)
        for again in (client, Client()):
            give_password(again, can_add_passkey="true")
            assert OFFER not in front_page(again)

    @pytest.mark.parametrize("able", [{}, {"can_add_passkey": ""}, {"can_add_passkey": "false"}])
    def test_not_in_a_browser_that_can_make_none(self, bob, able):
        client = Client()
        give_password(client, **able)
        assert OFFER not in front_page(client)
        assert not FactorSettings.objects.exists()

    @pytest.mark.parametrize(
        ("of_user", "sent"),
        [
            ({}, {"next": SECURITY}),
            ({}, {"carried_form": "that waits for the sign-in"}),
            ({"email_verified_at": None}, {}),
            ({"deletion_due_at": timezone.now() + timedelta(days=1)}, {}),
            ({"reuse_unanswered": True}, {}),
            ({"is_staff": True}, {}),
        ],
    )
    def test_not_before_what_comes_first(self, bob, of_user, sent, settings):
        settings.REQUIRE_SECOND_FACTOR_FOR = ["staff"]
        User.objects.filter(pk=bob.pk).update(**of_user)
        client = Client()
        give_password(client, can_add_passkey="true", **sent)
        assert OFFER not in front_page(client)
        assert not FactorSettings.objects.exists()

    def test_not_to_who_has_one(self, bob, client, sign_in, enrol):
        sign_in(client, bob)
        enrol(client)
        code, *_ = recovery_codes.renew(bob)
        give_password(client)
        client.post(SECOND_FACTOR, {"code": code, "can_add_passkey": "true"})
        assert OFFER not in front_page(client)
        assert FactorSettings.objects.get().passkey_offered_at is None

    def test_of_two_sign_ins_at_once_one_gets_it(self, bob):
        assert [passkey_offer._is_first(bob), passkey_offer._is_first(bob)] == [True, False]


class TestUnasked:
    @pytest.fixture
    def front(self, client, secret, now):
        """The front page after Bob has shown his password and a code."""
        give_password(client, can_add_passkey="true")
        client.post(SECOND_FACTOR, {"code": now(), "can_add_passkey": "true"})
        return client.get("/")

    @pytest.fixture
    def send(self, client, front, authenticator):
        """`send()`: what the browser then sends, its user neither present nor verified."""
        authenticator.flags = BE | BS

        def send(about=None, **more):
            response = authenticator.create(about or options(front, "create"))
            return client.post(f"{ADD}?next=/", {"response": response, "unasked": "on", **more})

        return send

    def test_is_told_and_ends_nothing(self, bob, client, secret, now, clock, send):
        clock.shift(60)
        elsewhere = Client()
        give_password(elsewhere)
        elsewhere.post(SECOND_FACTOR, {"code": now()})
        assert send().url == "/"
        assert "Your browser made a passkey for you" in front_page(client)
        assert SecurityEvent.objects.filter(kind="passkey_added", user=bob).count() == 1
        told = mail_messages.compose(OutgoingMail.objects.get(kind="factors_changed"))
        assert told.subject == "Passkey added" and "Your browser made a passkey for you" in told.body
        assert [row.amr for row in RefreshToken.objects.live()] == ["pwd otp mfa"] * 2

    def test_signs_in_alone_once_its_user_is_verified(self, send, authenticator):
        send()
        assert use(authenticator).status_code == 200
        authenticator.flags = PRESENT | BE | BS
        assert use(authenticator).status_code == 302
        assert RefreshToken.objects.get(method="passkey").amr == "swk user mfa"

    def test_is_never_the_first_factor(self, send):
        Authenticator.objects.all().delete()
        assert send().status_code == 200
        assert not Passkey.objects.exists()

    def test_what_was_asked_for_needs_its_user(self, client, front, send):
        asked = options(client.post(ADD), "create")
        for answer in (send(asked), send(asked, unasked=""), send(options(front, "create"), unasked="")):
            assert answer.status_code == 200
        assert not Passkey.objects.exists()

    def test_happens_once(self, client, front):
        assert PasskeyForms(front).options
        assert not PasskeyForms(client.get("/")).options
