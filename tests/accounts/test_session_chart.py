"""The picture of an account's sessions over the last thirty days, and the table that says the same."""

import re
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts.account import session_chart
from accounts.account.sessions import Session
from tests.accounts.conftest import CHROME, FIREFOX
from tokens.models import RefreshToken

Reason = RefreshToken.Reason
DAY = timedelta(days=1)


def session(started, seen, ended=None, here=False, **about):
    """A session, by how many days ago each of it was."""
    now = timezone.now()
    row = RefreshToken(created_at=now - started * DAY, last_used_at=now - seen * DAY, user_agent=FIREFOX, **about)
    row.expires_at = now + DAY
    row.revoked_at = None if ended is None else now - ended * DAY
    return Session(row, here)


def only(live=(), ended=()):
    [bar] = session_chart.draw(live, ended).bars
    return bar


class TestDraw:
    @pytest.mark.parametrize(
        ("about", "drawn"),
        [
            ((15, 6), ("50.00%", "30.00%", "50.00%")),  # used until it was last seen, and goes on until now
            ((15, 6, None, True), ("50.00%", "50.00%", "50.00%")),  # in use, and so used now, whatever its row says
            ((24, 18, 12), ("20.00%", "20.00%", "40.00%")),  # ended, and goes no further
            ((70, 50, 15), ("0.00%", "1.50%", "50.00%")),  # began before, and so at the edge
            ((0, 0), ("98.50%", "1.50%", "1.50%")),  # the shortest is seen and stays inside
            ((0, 0, 0), ("98.50%", "1.50%", "1.50%")),
        ],
    )
    def test_a_bar_has_a_beginning_what_was_used_and_a_whole(self, about, drawn):
        live = len(about) < 3 or about[2] is None
        bar = only(**{"live" if live else "ended": [session(*about)]})
        assert (bar.x, bar.used, bar.whole, bar.live) == (*drawn, live)

    def test_one_that_ran_out_goes_to_its_last_day(self):
        bar = only(ended=[session(24, 18)])
        bar.session.row.expires_at = timezone.now() - 15 * DAY
        assert only(ended=[bar.session]).whole == "30.00%"

    def test_of_many_the_first_are_drawn_and_the_others_counted(self):
        picture = session_chart.draw([session(9, 1) for _ in range(7)], [session(9, 3, ended=1) for _ in range(7)])
        assert [bar.live for bar in picture.bars] == [True] * 7 + [False]
        assert picture.left_out == 6


def test_the_page_shows_each_session_with_its_state_and_as_a_table(using, bob, sign_in):
    for user_agent in (FIREFOX, CHROME, "curl/8"):
        client = using(user_agent)
        sign_in(client, bob)
        if user_agent == FIREFOX:
            here = client
    RefreshToken.objects.get(user_agent="curl/8").revoke(Reason.ENDED)
    page = here.get("/accounts/sessions/").content.decode()
    shown = re.findall(r"<bdi>([^<]+)</bdi>\s*<span>([^<]+)</span><svg>", page)
    names = ["Firefox 128 on Linux", "Chrome 131 on Windows", "curl 8"]
    assert [name for name, _ in shown] == names
    assert len({state for _, state in shown}) == 3
    [name, words] = re.search(r'role="img" aria-labelledby="(\S+)" aria-describedby="(\S+)"', page).groups()
    assert page.count(f'id="{name}"') == page.count(f'id="{words}"') == 1
    table = re.search(r"<tbody role=\"rowgroup\">(.*?)</tbody>", page, flags=re.S)[1]
    rows = [re.findall(r'data-label="[^"]+">(.*?)</td>', row, flags=re.S) for row in table.split("</tr>")[:-1]]
    cells = [[re.sub("<[^>]+>", "", cell).strip() for cell in row] for row in rows]
    assert [row[0] for row in cells] == names
    today = f"{timezone.now():%-d %B %Y}"
    dated = [[cell.startswith(today) for cell in row] for row in cells]
    assert dated == [[False, True, False, False], [False, True, True, False], [False, True, True, True]]


def test_lengths_are_not_written_in_the_readers_language():
    picture = session_chart.draw([session(14, 3)], [session(20, 9, ended=7)])
    with translation.override("de"):
        page = render_to_string("accounts/_session_chart.html", {"chart": picture})
    assert set(re.findall(r' (?:x|width)="([\d.]*)%"', page)) >= {"53.33", "36.67"}
    assert not re.search(r'(x|width)="[^"]*,', page)
