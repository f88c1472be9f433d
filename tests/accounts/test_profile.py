"""Another name: the profile and the user name."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts.forms import ProfileForm, UsernameForm
from accounts.mails import outbox
from accounts.mails.messages import compose
from accounts.models import OutgoingMail, SecurityEvent, User
from tests.accounts.conftest import sent
from tests.accounts.mail_contents import text_of
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

Kind = SecurityEvent.Kind


@pytest.fixture
def zone(here, bob):
    """`zone(name)`: what the profile answers to that time zone, and how it is kept."""

    def zone(name):
        answer = here.post("/accounts/profile/", {"time_zone": name})
        bob.refresh_from_db()
        return answer.status_code, bob.time_zone, str(bob.zone)

    return zone


class TestTimeZone:
    def test_is_one_of_a_list_or_the_sites(self, zone):
        assert zone("Asia/Kolkata") == (302, "Asia/Kolkata", "Asia/Kolkata")
        assert zone("Mars/Olympus") == (200, "Asia/Kolkata", "Asia/Kolkata")
        assert zone("") == (302, "", settings.TIME_ZONE)

    @pytest.mark.parametrize("name", ["Asia/Atlantis", "Asia", "../etc", "\0"])
    def test_that_this_machine_does_not_know_is_the_sites(self, name):
        assert str(User(time_zone=name).zone) == settings.TIME_ZONE

    def test_is_that_of_pages_and_mails_and_of_nobody_else(self, zone, here, bob):
        zone("Asia/Kolkata")
        evening = timezone.now().replace(hour=20, minute=0) - timedelta(days=9)
        day = f"{evening + timedelta(days=1):%-d %B %Y}"
        SecurityEvent.objects.record(None, bob, "exported", created_at=evening)
        page = here.get("/accounts/activity/").content.decode()
        [heading, offset, words] = re.findall(r"<h2>(.*?)</h2>|T01:30(.*?)\"|>(01:30.*?)<", page)[-3:]
        assert (heading[0], offset[1], words[2]) == (day, "+05:30", "01:30 IST")
        assert timezone.get_current_timezone_name() == settings.TIME_ZONE
        outbox.enqueue("new_browser", bob)
        OutgoingMail.objects.update(created_at=evening)
        assert f"{day}, 01:30 IST" in text_of(compose(OutgoingMail.objects.get()))


class TestProfile:
    def test_saves_the_names(self, here, bob):
        names = {"first_name": "Bob", "last_name": "Doe"}
        assert here.post("/accounts/profile/", names, follow=True).redirect_chain == [("/accounts/profile/", 302)]
        bob.refresh_from_db()
        assert bob.get_full_name() == "Bob Doe"
        assert SecurityEvent.objects.first().kind == Kind.PROFILE_CHANGED

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("\u202eevil\u2066 \u200b\ufeffBob\u00ad\u3164", "evil Bob"),
            ("\u200d\u200c", ""),
            ("عی\u200cن 👩\u200d💻 ☎\ufe0f", "عی\u200cن 👩\u200d💻 ☎\ufe0f"),  # the joiners make what one sees
        ],
    )
    def test_leaves_out_what_cannot_be_seen_and_turns_words_around(self, here, bob, typed, kept):
        here.post("/accounts/profile/", {"first_name": typed})
        here.post(reverse("session_name", args=[RefreshToken.objects.get().pk]), {"name": typed})
        bob.refresh_from_db()
        assert (bob.first_name, RefreshToken.objects.get().name) == (kept, kept)

    def test_takes_no_other_field(self, here, bob):
        rights = User.objects.filter(pk=bob.pk).values("is_staff", "is_superuser", "email", "username", "password")
        before = rights.get()
        fields = {"first_name": "B", "last_name": "", "is_staff": "on", "is_superuser": "on"}
        here.post("/accounts/profile/", {**fields, "email": "x@y.zz", "username": "root"})
        assert rights.get() == before

    def test_leaves_what_changed_since_the_page_was_read(self, bob):
        form = ProfileForm({"first_name": "Bob"}, instance=bob)
        assert form.is_valid()
        User.objects.update(username="robert")
        form.save()
        assert User.objects.values_list("username", "first_name").get() == ("robert", "Bob")


URL = "/accounts/username/"


@pytest.fixture
def change(here, committing):
    def change(name="robert"):
        with committing():
            return here.post(URL, {"username": name})

    return change


def test_the_next_page_of_every_browser_says_it(change, here, there):
    assert change("Bob").status_code == 302  # another case is another name
    assert change().headers["Location"] == "/accounts/security/"
    for browser in (here, there):
        assert browser.get("/").context["user"].username == "robert"
    assert RefreshToken.objects.live().count() == 2
    for name, status in (("bob", 200), ("robert", 302)):
        assert Client().post(reverse("login"), {"username": name, "password": PASSWORD}).status_code == status


def test_is_recorded_and_told_by_mail(change, bob):
    change()
    event = SecurityEvent.objects.first()
    assert (event.kind, event.user, event.actor) == ("username_changed", bob, None)
    assert sent() == [("username_changed", ["bob@example.org"])]
    assert mail.outbox[0].context.items() >= {"before": "bob", "after": "robert"}.items()


@pytest.mark.parametrize("name", ["ALICE", "bob", "a@b"])
def test_refuses_and_calls_nobody_by_a_name_not_theirs(change, alice, bob, name):
    response = change(name)
    assert response.context["form"].errors.keys() == {"username"}
    assert response.context["request"].user.username == "bob"
    bob.refresh_from_db()
    assert bob.username == "bob"
    assert not mail.outbox


def test_leaves_the_rest_of_the_person_as_others_made_it(change, bob, monkeypatch):

    clean = UsernameForm.clean_username

    def meanwhile(form):
        User.objects.filter(pk=bob.pk).update(first_name="Robert", email="other@example.org")
        return clean(form)

    monkeypatch.setattr(UsernameForm, "clean_username", meanwhile)
    change()
    bob.refresh_from_db()
    assert (bob.username, bob.first_name, bob.email) == ("robert", "Robert", "other@example.org")


def test_who_looks_for_many_names_has_to_wait(change, alice):
    answers = [change("alice") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert 'value="alice"' in answers[-1].content.decode()
    assert f'data-wait="{answers[-1].headers["Retry-After"]}"' in answers[-1].content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_want_one_name_at_once_one_gets_it_and_the_other_a_sentence(alice, bob, sign_in):
    browsers = []
    for person in (alice, bob):
        browsers.append(Client())
        sign_in(browsers[-1], person)
    answers = together([lambda one=one: one.post(URL, {"username": "carol"}) for one in browsers])
    assert sorted(response.status_code for response in answers) == [200, 302]

    assert User.objects.filter(username="carol").count() == 1


def test_a_name_that_was_taken_while_the_form_was_read_is_told_alike(here, bob, monkeypatch):
    """The index decides, when the form has seen nothing yet."""
    User.objects.create_user("carol", "carol@example.org")
    monkeypatch.setattr(UsernameForm, "clean_username", lambda form: "carol")
    assert here.post(URL, {"username": "carol"}).context["form"].errors
    assert SecurityEvent.objects.filter(kind="username_changed").count() == 0
