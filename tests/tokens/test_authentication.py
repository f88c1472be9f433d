"""Who is asking, told by the two tokens together."""

import pytest

from tests.tokens.clock import elapse, jar
from tokens.models import RefreshToken
from tokens.signals import token_event

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tokens.urls")]


@pytest.fixture
def told():
    """The events of the rule, in order."""
    events = []

    def hear(sender, event, sid, reason, **kwargs):
        events.append((event, sid, reason))

    token_event.connect(hear)
    yield events
    token_event.disconnect(hear)


class TestADeadSession:
    def test_is_told_once_and_its_row_is_read_once(self, bob, signed_in, told, django_assert_num_queries):
        visitor = signed_in(bob)
        visitor.get("/who/")
        row = RefreshToken.objects.get()
        row.revoke(RefreshToken.Reason.ENDED)
        assert jar(visitor).keys() == {"access", "refresh"}
        with django_assert_num_queries(1):
            assert visitor.get("/guarded/").content == b"nobody"
        assert told == [("dead", str(row.pk), "ended")]

    def test_beside_a_refresh_token_of_a_live_one_is_no_obstacle(self, bob, signed_in, told):
        gone, here = signed_in(bob), signed_in(bob)
        ended = RefreshToken.objects.earliest("created_at")
        ended.revoke(RefreshToken.Reason.ENDED)
        here.cookies["__Host-access"] = jar(gone)["access"]
        assert here.get("/who/").content == b"bob"
        assert [event for event, *_ in told] == ["dead", "child"]


def test_time_alone_ends_a_session_without_an_event(bob, signed_in, told):
    visitor = signed_in(bob)
    elapse(8 * 24 * 3600, visitor)
    assert visitor.get("/who/").content == b"nobody"
    assert told == []
