"""Another name: the profile and the user name."""

import pytest
from django.core import mail
from django.urls import reverse

from accounts.forms import ProfileForm, UsernameForm
from accounts.models import SecurityEvent, User
from tests.accounts.conftest import sent
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

Kind = SecurityEvent.Kind


class TestProfile:
    def test_saves_the_names(self, here, bob):
        names = {"first_name": "Bob", "last_name": "Doe"}
        assert here.post("/accounts/profile/", names, follow=True).redirect_chain == [("/accounts/profile/", 302)]
        bob.refresh_from_db()
        assert bob.get_full_name() == "Bob Doe"
        assert SecurityEvent.objects.first().kind == Kind.PROFILE_CHANGED

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
    assert change().headers["Location"] == "/accounts/profile/"
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
    assert [change("alice").status_code for _ in range(11)] == [200] * 10 + [429]


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
