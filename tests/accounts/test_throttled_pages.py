"""What people and programs get who try too often, and that nobody learns from it who has an account."""

import itertools
import json
import re
from dataclasses import replace

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import include, path

from accounts.models import OutgoingMail, SecurityEvent, User
from accounts.security import limits, throttle
from accounts.security.limits import Limit
from accounts.security.rate_limit import Rate
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

LOGIN, SIGN_UP, RESET = "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"
FREE = limits.SIGN_IN.visitor_and_account.free
NEW, WRONG = "an entirely new one", "not the password"
WRONGS = map("not the password {}".format, itertools.count())  # each another one, as the same again is no new guess
WAIT = re.compile(r"Please try again in \d+ (second|minute)s?\.")
DIFFERENT = ("Content-Length", "Expires", "X-Request-ID")  # with each answer


def at(address):
    """A new browser at this address, as a proxy in front has seen it (TRUSTED_PROXIES=1)."""
    return Client(headers={"x-forwarded-for": address})


def post(client, name="bob", password=None, **fields):
    return client.post(LOGIN, {"username": name, "password": password or next(WRONGS), **fields})


def guess(client, times=FREE, name="bob"):
    return [post(client, name).status_code for _ in range(times)]


def plain(response):
    """Status, headers and page, without what differs from one request to the next."""
    page = re.sub(r'(csrfmiddlewaretoken" value=")\w+', r"\1", response.content.decode())
    page = re.sub(r'(data-options=")[^"]*', r"\1", page)
    page = re.sub(r'(name="(?:username|email)" value=")[^"]*', r"\1", WAIT.sub("WAIT", page))
    headers = {name: value for name, value in response.items() if name not in DIFFERENT}
    if "Retry-After" in headers:
        headers["Retry-After"] = "soon"
    return response.status_code, page, sorted(headers.items()), sorted(response.cookies)


class TestSignIn:
    def test_the_form_says_when_and_keeps_what_was_typed(self, client, bob):
        guess(client)
        response = post(client, "bob@example.org", PASSWORD, remember="on", next="/accounts/sessions/")
        page = response.content.decode()
        assert (response.status_code, response.headers["Retry-After"]) == (429, "11")
        for kept in (
            'role="alert"',
            "11",
            'value="bob@example.org"',
            'name="next" value="/accounts/sessions/"',
            "checked",
        ):
            assert kept in page
        assert PASSWORD not in page
        assert not {"__Host-access", "__Host-refresh", "__Host-device"} & response.cookies.keys()
        assert "no-store" in response.headers["Cache-Control"]
        assert "Cookie" in response.headers["Vary"]

    def test_a_pause_doubles_and_ends_and_the_right_password_waits_too(self, client, bob, clock):
        assert guess(client, FREE + 2) == [200] * FREE + [429] * 2
        clock.shift(10)
        assert guess(client, 2) == [200, 429]
        clock.shift(19)
        assert post(client, password=PASSWORD).status_code == 429
        clock.shift(1)
        assert post(client, password=PASSWORD).status_code == 302

    def test_nothing_is_hashed_looked_up_or_recorded_for_whoever_has_to_wait(self, client, bob, hashes):
        guess(client)
        hashes.clear()
        with CaptureQueriesContext(connection) as queries:
            assert guess(client, 3) == [429] * 3
        assert len(queries) == 3  # whose account it is
        assert not hashes
        assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.SIGN_IN_FAILED).count() == FREE

    @pytest.mark.parametrize(
        ("hops", "forwarded", "last"),
        [(0, "192.0.2.{}", 429), (1, "192.0.2.{}, 198.51.100.7", 429), (1, "198.51.100.7, 192.0.2.{}", 200)],
    )
    def test_an_address_that_the_visitor_wrote_makes_no_new_visitor(self, bob, settings, hops, forwarded, last):
        settings.TRUSTED_PROXIES = hops
        statuses = [post(at(forwarded.format(n))).status_code for n in range(FREE + 1)]
        assert statuses == [200] * FREE + [last]

    def test_what_is_never_hashed_is_not_counted(self, client, bob, hashes):
        for fields in ({"password": "x" * 1025}, {"password": ""}, {"username": ""}, {"username": "a\x00b"}):
            assert client.post(LOGIN, {"username": "bob", "password": PASSWORD, **fields}).status_code == 200
        assert not hashes
        assert not [key for key in cache._cache if "throttle" in key]

    def test_the_admin_has_no_other_door(self, client, alice, hashes):
        guess(client, name="alice")
        door = client.get("/admin/", follow=True).redirect_chain[-1][0]
        assert client.post(door, {"username": "alice", "password": PASSWORD}).status_code == 429
        assert client.post("/admin/login/", {"username": "alice", "password": PASSWORD}).status_code == 302
        assert len(hashes) == FREE

    def test_a_form_from_elsewhere_is_refused_before_it_is_counted(self, bob):
        stranger = Client(enforce_csrf_checks=True)
        assert guess(stranger, FREE + 2) == [403] * (FREE + 2)


class TestTheSameWrongPasswordAgain:
    """An app that goes on with the old password keeps nobody out."""

    def test_lets_its_owner_in_from_the_same_address(self, bob, hashes):
        for _ in range(2 * FREE):
            assert TestApi().log_in(password=WRONG).status_code == 401
        assert len(hashes) == 2 * FREE
        assert post(Client(), password=PASSWORD).status_code == 302

    def test_is_answered_as_any_other_wrong_one_at_the_same_price(self, client, bob, hashes):
        client.get(LOGIN)
        with CaptureQueriesContext(connection) as queries:
            answers = {str(plain(post(client, password=WRONG))) for _ in range(3)}
            assert answers == {str(plain(post(client)))}
        assert (len(queries), len(hashes)) == (4 * 9, 4)

    def test_passes_no_shut_bucket_or_it_would_tell_what_was_tried(self, client, bob):
        post(client, password=WRONG)
        guess(client, FREE - 1)
        assert post(client, password=WRONG).status_code == 429

    def test_has_a_pace_of_its_own_as_each_costs_a_hash(self, client, bob, hashes, monkeypatch):
        monkeypatch.setattr(limits, "SIGN_IN", replace(limits.SIGN_IN, repeats=Rate(3, 5, 10, 600)))
        assert [post(client, password=WRONG).status_code for _ in range(6)] == [200] * 4 + [429] * 2
        assert len(hashes) == 4
        assert post(client, password=PASSWORD).status_code == 302


class TestTheRightPasswordAgainAndAgain:
    def test_opens_sessions_at_a_pace_and_keeps_the_owners_browser_open(self, bob, monkeypatch, settings):
        settings.TRUSTED_PROXIES = 1
        rate = Rate(3, 5, 10, 600)
        monkeypatch.setattr(limits, "SIGNED_IN", Limit("right password", visitor_and_account=rate, account=rate))
        own, *others = (at(f"192.0.2.{n}") for n in range(5))
        assert [post(each, password=PASSWORD).status_code for each in (own, *others)] == [302] * 3 + [429] * 2
        assert TestApi().log_in(PASSWORD).status_code == 429
        assert RefreshToken.objects.count() == 3
        assert post(own, password=PASSWORD).status_code == 302


class TestNobodyLearnsWhoHasAnAccount:
    @pytest.fixture
    def people(self, bob):
        User.objects.create_user("inactive", "inactive@example.org", PASSWORD, is_active=False)
        return ("bob", "bob@example.org", "inactive", "nobody", "nobody@example.org")

    def test_the_last_answers_before_and_the_first_after_are_alike_to_the_byte_at_the_same_price(self, people, hashes):
        before, after, costs = set(), set(), set()
        for name in people:
            cache.clear()
            hashes.clear()
            client = Client()
            client.get(LOGIN)
            with CaptureQueriesContext(connection) as queries:
                before.add(str([plain(post(client, name)) for _ in range(FREE)]))
                after.add(str(plain(post(client, name, PASSWORD))))
            costs.add((len(queries), len(hashes)))
        assert len(before) == len(after) == 1
        assert "WAIT" in after.pop()
        assert costs == {(9 * FREE + 1, FREE)}

    def test_nor_by_asking_for_a_new_password(self, people, committing):
        answers = set()
        for name in ("bob@example.org", "inactive@example.org", "nobody@example.org"):
            cache.clear()
            with committing(), CaptureQueriesContext(connection) as queries:
                shown = [plain(Client().post(RESET, {"email": name})) for _ in range(limits.RESET.account.free + 1)]
            answers.add(str((shown, len(queries))))
        assert len(answers) == 1
        assert "429" in answers.pop()

    def test_nor_by_signing_up(self, people, committing, hashes):
        answers = set()
        for email in ("new@example.org", "bob@example.org"):
            cache.clear()
            hashes.clear()
            shown = []
            for n in range(limits.SIGN_UP.account.free + 2):
                fields = {"username": f"ada{n}", "email": email, "password1": NEW, "password2": NEW}
                with committing():
                    shown.append(plain(Client().post(SIGN_UP, fields)))
            answers.add(re.sub(r"ada\d", "", str((shown, len(hashes)))))
            User.objects.filter(username__startswith="ada").delete()
        assert len(answers) == 1


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    def test_of_many_wrong_passwords_exactly_the_free_ones_are_hashed(self, bob, redis, hashes):
        statuses = together([lambda: post(Client()).status_code] * 24)
        assert sorted(statuses) == [200] * FREE + [429] * (24 - FREE)
        assert len(hashes) == FREE


class TestTheOwner:
    @pytest.fixture
    def own(self, bob, sign_in):
        client = Client()
        sign_in(client, bob)
        client.post("/accounts/logout/")
        return client

    def test_gets_in_by_their_own_browser_past_any_number_of_strangers(self, own, bob, settings, monkeypatch):
        self.besiege(settings, monkeypatch)
        assert post(at("192.0.2.77"), password=PASSWORD).status_code == 429
        assert post(own, password=PASSWORD).status_code == 302
        assert guess(own, FREE + 1) == [200] * FREE + [429]  # and guesses no faster

    def test_elsewhere_waits_for_a_minute_at_most(self, bob, settings, monkeypatch, clock):
        self.besiege(settings, monkeypatch)
        for _ in range(8):
            post(at("192.0.2.76"))
            assert int(post(at("192.0.2.77"), password=PASSWORD).headers["Retry-After"]) <= 60
            clock.shift(61)

    def test_elsewhere_gets_in_by_a_new_password(self, bob, settings, monkeypatch, committing):
        self.besiege(settings, monkeypatch)
        new = at("192.0.2.77")
        with committing():
            new.post(RESET, {"email": "bob@example.org"})
        [link] = re.findall(r"http://testserver(/\S+)", mail.outbox[-1].body)
        form = new.get(link).headers["Location"]
        assert new.post(form, {"new_password1": NEW, "new_password2": NEW}).status_code == 302
        assert post(at("192.0.2.78"), password=NEW).status_code == 429
        assert post(new, password=NEW).status_code == 302

    def besiege(self, settings, monkeypatch):
        """Strangers at many addresses; a few, as the limit is lowered for it."""
        account = Rate(free=4, first=1, longest=60, window=24 * 3600)
        limit = Limit("sign-in", limits.SIGN_IN.visitor_and_account, limits.SIGN_IN.visitor, account)
        monkeypatch.setattr(limits, "SIGN_IN", limit)
        settings.TRUSTED_PROXIES = 1
        assert {post(at(f"203.0.113.{n}")).status_code for n in range(4)} == {200}


class TestSignUp:
    def test_the_form_says_when_and_hashes_nothing_and_what_is_corrected_is_not_counted(self, client, db, hashes):
        def post(n, **fields):
            email = "ada@example.org"
            return client.post(
                SIGN_UP, {"username": f"ada{n}", "email": email, "password1": NEW, "password2": NEW, **fields}
            )

        free = limits.SIGN_UP.account.free
        assert [post(n, password2="another").status_code for n in range(free + 1)] == [200] * (free + 1)
        assert [post(n).status_code for n in range(free)] == [302] * free
        hashes.clear()
        mails = OutgoingMail.objects.count()
        response = post(99)
        assert response.status_code == 429
        assert response.headers["Retry-After"] in response.content.decode()
        assert 'value="ada99"' in response.content.decode()
        assert NEW not in response.content.decode()
        assert not hashes
        assert OutgoingMail.objects.count() == mails


def test_so_many_mails_for_a_new_password_and_no_more_and_the_form_says_when(client, bob, committing):
    free = limits.RESET.visitor_and_account.free
    with committing():
        responses = [client.post(RESET, {"email": "bob@example.org"}) for _ in range(free + 1)]
    assert [response.status_code for response in responses] == [302] * free + [429]
    assert len(mail.outbox) == free
    page = responses[-1].content.decode()
    assert responses[-1].headers["Retry-After"] in page
    assert 'value="bob@example.org"' in page


class TestApi:
    def log_in(self, password=None, browser=None):
        body = json.dumps({"username": "bob", "password": password or next(WRONGS)})
        return (browser or Client()).post("/api/auth/login", body, content_type="application/json")

    def test_a_problem_says_when(self, bob, hashes):
        for _ in range(FREE):
            assert self.log_in().status_code == 401
        hashes.clear()
        response = self.log_in(password=PASSWORD)
        assert (response.status_code, response.headers["Content-Type"]) == (429, "application/problem+json")
        assert response.json()["title"] == "too_many_requests"
        assert response.headers["Retry-After"] in response.json()["detail"]
        assert not hashes

    def test_it_counts_together_with_the_form_and_success_forgets_the_failures(self, client, bob):
        for _ in range(2):
            guess(client, FREE - 1)
            assert self.log_in(password=PASSWORD).status_code == 200
        guess(client, FREE - 1)
        assert [self.log_in().status_code for _ in range(2)] == [401, 429]

    def test_the_cookie_of_a_known_browser_makes_no_difference(self, client, bob, sign_in):
        sign_in(client, bob)
        guess(Client())
        assert self.log_in(PASSWORD, client).status_code == 429


@login_not_required
def page(request):
    throttle.hit(request, Limit("page", visitor=Rate(1, 90, 90, 600)))
    raise PermissionDenied


urlpatterns = [path("page/", page), path("", include("project.urls"))]


@pytest.mark.urls("tests.accounts.test_throttled_pages")
def test_any_other_page_says_when(client):
    assert client.get("/page/").status_code == 403
    response = client.get("/page/")
    assert response.status_code == 429
    assert f"{response.headers['Retry-After']} seconds" in response.content.decode()


def test_people_sign_in_without_the_cache_and_guesses_are_counted(client, bob, redis, sign_in):
    redis.stop()
    assert guess(client, FREE + 1) == [200] * FREE + [429]
    sign_in(at("192.0.2.1"), User.objects.create_user("carol", "carol@example.org", PASSWORD))
