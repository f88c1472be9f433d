"""After a copy of a session was used: the page that the next sign-in leads to, and the banner until it is answered."""

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core import mail

from accounts.account import checkup
from accounts.models import User
from tests.accounts.conftest import CHROME, FIREFOX, kinds
from tests.accounts.reauthenticating import answer, expire_reauthentication
from tests.conftest import PASSWORD
from tests.tokens.clock import left_behind
from tokens.models import RefreshToken
from tokens.testing import Client

LOGIN, CHECKUP, CHANGE = "/accounts/login/", "/accounts/checkup/", "/accounts/password/change/"
NEW = "an entirely new one"


@pytest.fixture
def stolen(here, committing):
    """Bob's browser, a copy of whose jar somebody has used in Chrome."""
    copy = left_behind(here)
    copy.defaults["HTTP_USER_AGENT"] = CHROME
    with committing():
        copy.get("/", follow=True)
    assert User.objects.get().reuse_unanswered
    return here


@pytest.fixture
def back(stolen, bob, sign_in):
    """Bob's browser, in which he has signed in again."""
    sign_in(stolen, bob)
    return stolen


def banner(browser, page="/"):
    """Whether the page leads to the check-up."""
    return f'href="{CHECKUP}"' in browser.get(page).content.decode()


def test_the_next_sign_in_leads_there_and_then_on_to_where_it_was_wanted(stolen, bob, sign_in):
    there = sign_in(stolen, bob, next="/accounts/activity/").headers["Location"]
    assert there == f"{CHECKUP}?next=%2Faccounts%2Factivity%2F"
    assert stolen.get(LOGIN).headers["Location"].startswith(CHECKUP)
    assert stolen.post(there).headers["Location"] == "/accounts/activity/"
    assert stolen.get(f"{CHECKUP}?next=//evil.example").headers["Location"] == "/accounts/activity/"


def test_it_tells_when_and_by_which_browsers(back):
    shown = back.get(CHECKUP)
    finding = shown.context["finding"]
    assert (finding.event.user_agent, finding.session.row.user_agent) == (CHROME, FIREFOX)
    for said in ("127.0.0.1", "Chrome 131 on Windows", "Firefox 128 on Linux", CHANGE):
        assert said in shown.content.decode()
    RefreshToken.objects.filter(pk=finding.session.row.pk).delete()
    assert back.get(CHECKUP).context["finding"].session is None


def test_the_banner_costs_no_query(back, django_assert_num_queries):
    back.get("/")
    with django_assert_num_queries(0):
        assert banner(back)
    assert not banner(Client()) and banner(back, "/accounts/profile/")


def test_the_sign_in_page_says_everywhere_only_if_it_was(stolen, settings):
    assert "so we signed you out everywhere" in stolen.get(LOGIN).content.decode()
    settings.TOKENS_REUSE_REVOKES = "family"
    page = stolen.get(LOGIN).content.decode()
    assert "so we ended it" in page and "everywhere" not in page


def test_who_is_signed_in_elsewhere_sees_it_as_well_if_only_the_copied_session_ended(here, there, bob, settings):
    settings.TOKENS_REUSE_REVOKES = "family"
    assert not banner(there)
    checkup.start(bob)
    assert banner(there)


@pytest.mark.parametrize(
    ("page", "fields", "kind"),
    [
        (CHECKUP, {}, "reuse_answered"),
        (CHANGE, {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}, "password_changed"),
    ],
)
def test_is_answered_for_every_browser_and_the_evidence_stays(back, using, bob, sign_in, page, fields, kind):
    sign_in(elsewhere := using(CHROME), bob)
    assert banner(back) and banner(elsewhere)
    back.post(page, fields)
    assert not banner(back) and not banner(elsewhere)
    assert back.get(CHECKUP).headers["Location"] == "/accounts/activity/"  # where the mail leads to then
    assert {kind, "reuse_found"} <= set(kinds())
    assert "reuse_found" in [message.kind for message in mail.outbox]


@pytest.mark.parametrize("set_password", [lambda user: user.set_password(NEW), lambda user: user.copy_password(User())])
def test_every_new_password_answers(bob, set_password):
    checkup.start(bob)
    set_password(bob)
    bob.save(update_fields=["password"])
    assert User.objects.get().reuse_unanswered is False


def test_a_copy_of_the_new_cookies_cannot_answer_without_the_password(back):
    expire_reauthentication()
    back.post(CHECKUP)
    assert User.objects.get().reuse_unanswered
    answer(back, back.post(CHECKUP))
    assert User.objects.get().reuse_unanswered is False
    back.post(CHECKUP)
    assert kinds().count("reuse_answered") == 1


def test_a_hash_that_is_upgraded_at_the_sign_in_answers_nothing(bob):
    old = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1)
    User.objects.update(password=old)
    bob.refresh_from_db()
    checkup.start(bob)
    assert bob.check_password(PASSWORD)
    assert User.objects.exclude(password=old).get().reuse_unanswered
