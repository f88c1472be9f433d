"""A copy of a bound session that is tried without its device: one event and one mail a day, and nothing ends."""

from datetime import timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.db import connection
from django.db.models import F, QuerySet

from accounts.models import SecurityEvent
from tests.accounts.conftest import CHROME, FIREFOX
from tests.tokens.device import Device
from tests.tokens.racing import together
from tokens import cookies
from tokens.models import RefreshToken
from tokens.signals import device_unproven

Kind = SecurityEvent.Kind


@pytest.fixture(autouse=True)
def _over_tls(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("SERVER_NAME", "testserver")


@pytest.fixture
def bind(using, sign_in, bob):
    """`bind()`: another browser of Bob's, whose session is bound."""

    def bind():
        device = Device(using(CHROME))
        return device.bind(sign_in(device.client, bob))

    return bind


@pytest.fixture
def thief(using, committing):
    """`thief(device)`: somebody with the refresh token of that browser looks at a page, and is asked for a proof."""

    def look(device):
        client = using(FIREFOX)
        name = cookies.name_of("refresh")
        client.cookies[name] = device.client.cookies[name].value
        with committing():
            client.get("/accounts/profile/")
            assert client.get("/accounts/profile/").status_code == 302

    return look


def recorded():
    return list(SecurityEvent.objects.filter(kind=Kind.DEVICE_UNPROVEN).values_list("session_id", flat=True))


def mails():
    return [message for message in mail.outbox if message.kind == "device_unproven"]


class TestACopyThatIsTried:
    def test_is_one_event_of_each_session_and_one_mail_a_day_and_ends_nothing(self, bind, thief):
        first, second = bind(), bind()
        for device in (first, first, second, second):
            thief(device)
        assert sorted(map(str, recorded())) == sorted([first.session, second.session])
        assert len(mails()) == 1
        assert RefreshToken.objects.live().count() == 2
        assert first.client.get("/accounts/activity/").status_code == 200
        QuerySet.update(SecurityEvent.objects.all(), created_at=F("created_at") - timedelta(days=1))
        thief(first)
        assert len(recorded()) == 3
        assert len(mails()) == 2

    def test_is_told_with_where_and_which_browser_and_what_to_do(self, bind, thief):
        device = bind()
        thief(device)
        [message] = mails()
        for said in ("Firefox 128 on Linux", "127.0.0.1", "harmless if you copied or moved a browser profile"):
            assert said in message.body
        assert "http://testserver/accounts/activity/" in message.body
        page = device.client.get("/accounts/activity/").content.decode()
        assert "A browser couldn&#x27;t verify its device" in page
        assert "harmless if you copied or moved a browser profile" in page

    def test_is_told_of_nobody_who_is_gone(self, bind, thief, rf):
        device = bind()
        RefreshToken.objects.update(user=None)
        device_unproven.send(RefreshToken, request=rf.get("/"), sid=device.session)
        assert recorded() == []


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_one(bind, rf):
    sid, looked = bind().session, Barrier(2)

    def look(execute, *arguments):
        found = execute(*arguments)
        if "accounts_securityevent" in arguments[0] and not connection.in_atomic_block:
            looked.wait(timeout=30)  # both find nothing
        return found

    def tell():
        with connection.execute_wrapper(look):
            device_unproven.send(RefreshToken, request=rf.get("/"), sid=sid)

    together([tell, tell])
    assert [str(each) for each in recorded()] == [sid]
