import copy
import pickle
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core import serializers
from django.db import OperationalError, models, transaction
from django.db.models.signals import post_init
from django.template import Context, Template
from django.test.utils import isolate_apps

from tests.conftest import PASSWORD
from tests.tokens.outage import gone
from tokens import authentication, users
from tokens.conf import conf
from tokens.core.exceptions import InvalidToken
from tokens.issuing import access_for, root_refresh
from tokens.models import RefreshToken, locks
from tokens.session import RequestSession
from tokens.users import UserVanished

User = get_user_model()


class Shouted(models.CharField):
    class descriptor_class(models.query_utils.DeferredAttribute):
        def __set__(self, instance, value):
            instance.__dict__[self.field.attname] = value.upper()


def claimed(user, **claims):
    """The user as a token of a session tells of them."""
    session = RequestSession()
    row = RefreshToken.objects.start(get_user_model().objects.get(pk=user.pk))
    load = partial(authentication._load_user, session, access_for(row, root_refresh(row), new=False))
    return users.from_fields(users.fields_from_claims(str(user.pk), claims), load)


@pytest.fixture
def person(bob):
    return claimed(bob, username="bob", is_staff=False)


@pytest.fixture
def behind(bob):
    """`behind(**values)` changes the row of Bob behind everybody's back."""
    return lambda **values: User.objects.filter(pk=bob.pk).update(**values)


@pytest.fixture
def queries(django_assert_num_queries):
    return django_assert_num_queries


class TestFromFields:
    def test_what_the_token_says_costs_no_query(self, person, bob, queries):
        with queries(0):
            assert person.pk == person.id == bob.pk
            assert person.username == person.get_username() == str(person) == "bob"
            assert (person.is_staff, person.is_active, person.is_authenticated) == (False, True, True)

    def test_it_is_a_user_like_any_other(self, person, bob, alice, queries):
        somebody_else = claimed(alice, username="bob")
        with queries(0):
            assert isinstance(person, User)
            assert person == bob and bob == person and hash(person) == hash(bob)
            assert repr(person) == repr(bob)
            assert person._meta is User._meta
            assert person != alice and person != somebody_else
        for name in ("__name__", "__module__", "__doc__"):
            assert getattr(type(person), name) == getattr(User, name)

    def test_no_app_registry_knows_its_class_and_one_serves_all(self, person, alice):
        assert type(person) not in apps.get_models(include_auto_created=True, include_swapped=True)
        assert apps.get_model(User._meta.label) is User
        assert type(claimed(alice)) is type(person) is not User

    def test_any_other_field_loads_the_row_once_which_is_right_from_then_on(self, person, behind, queries):
        behind(username="robert", is_staff=True)
        assert person.username == "bob"
        with queries(1):
            assert person.email == "bob@example.org"
            assert person.check_password(PASSWORD)
            assert (person.username, person.is_staff) == ("robert", True)
            assert type(person) is User

    def test_an_attribute_of_no_field_costs_nothing(self, person, queries):
        with queries(0):
            person.note = 1
            assert person.note == 1

    def test_claims_that_are_no_field_are_passed_over(self, bob, queries):
        person = claimed(bob, username="bob", scope="all")
        with queries(0):
            assert person.username == "bob"
        assert not hasattr(person, "scope")

    def test_a_claim_of_a_richer_kind_has_its_type_again(self, bob, settings, queries):
        settings.TOKENS_USER_CLAIMS = ["date_joined", "is_superuser", "last_login"]
        person = claimed(bob, **users.claims_of(bob))
        with queries(0):
            assert (person.date_joined, person.is_superuser, person.last_login) == (bob.date_joined, False, None)

    def test_two_requests_share_nothing_that_a_receiver_of_post_init_hangs_on_the_user(self, bob):
        def hang(sender, instance, **kwargs):
            instance.preferences = {}

        fields = users.fields_from_claims(str(bob.pk), {"username": "bob"})
        post_init.connect(hang, sender=User)
        try:
            one, other = users.from_fields(fields, lambda: bob), users.from_fields(fields, lambda: bob)
        finally:
            post_init.disconnect(hang, sender=User)
        one.preferences["theme"] = "dark"
        assert (one.preferences, other.preferences) == ({"theme": "dark"}, {})

    def test_nor_without_a_receiver(self, bob):
        fields = users.fields_from_claims(str(bob.pk), {"username": "bob"})
        one, other = (users.from_fields(fields, partial(users.from_db_or_none, bob.pk)) for _ in range(2))
        one.first_name = "Robert"
        assert other.first_name == ""

    @isolate_apps("tests")
    @pytest.mark.parametrize(
        ("field", "body", "observed"),
        [
            (models.ImageField(), {}, False),
            (models.ForeignKey("self", models.CASCADE), {}, False),
            (Shouted(), {}, True),
            (models.CharField(), {"__setattr__": lambda self, name, value: None}, True),
        ],
    )
    def test_a_model_that_changes_what_its_instances_are_given_is_observed(self, field, body, observed):
        meta = type("Meta", (), {"app_label": "tests"})
        assert (
            users.is_observed(type("Kept", (models.Model,), {"__module__": "", "Meta": meta, "field": field, **body}))
            is observed
        )


class TestCopies:
    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda person: pickle.loads(pickle.dumps(person))])  # noqa: S301
    def test_a_copy_is_an_ordinary_user_with_the_row_of_that_moment(self, person, behind, copied):
        behind(username="robert")
        other = copied(person)
        assert type(other) is User
        assert (other.username, other.email) == ("robert", "bob@example.org")
        other.first_name = "Robert"
        assert person.first_name == ""
        assert other._state is not person._state


class TestWriting:
    @pytest.mark.parametrize(
        ("name", "value"), [("username", "robert"), ("first_name", "Robert"), ("is_active", False)]
    )
    def test_the_first_assignment_loads_the_row_once_and_is_kept(self, person, queries, name, value):
        with queries(1):
            setattr(person, name, value)
            person.last_name = "Roe"
        assert getattr(person, name) == value
        assert type(person) is User

    @pytest.mark.parametrize(
        "save",
        [
            lambda person: person.save(),
            lambda person: person.save(update_fields=["username"]),
            lambda person: person.save_base(update_fields=frozenset({"username"})),
        ],
        ids=["save", "update_fields", "save_base"],
    )
    def test_a_stale_claim_is_never_written_back(self, person, behind, save):
        behind(username="robert", is_staff=True)
        save(person)
        row = User.objects.get(pk=person.pk)
        assert (row.username, row.is_staff) == ("robert", True)

    def test_nor_beside_an_assignment_after_the_database_failed_once(self, person, behind):
        """What failed to load must not become an ordinary user with the token's values in it."""
        behind(username="robert", is_staff=True)
        with gone(), pytest.raises(OperationalError):
            person.email  # noqa: B018
        person.first_name = "Robert"
        person.save()
        row = User.objects.get(pk=person.pk)
        assert (row.first_name, row.username, row.is_staff) == ("Robert", "robert", True)

    def test_it_can_be_deleted(self, person):
        person.delete()
        assert not User.objects.exists()

    def test_it_can_be_refreshed_whole_whichever_field_is_asked_for(self, person, behind, queries):
        behind(username="robert")
        with queries(1):
            assert person.refresh_from_db(fields=["email"]) is None
        assert person.username == "robert"

    def test_a_model_with_a_setattr_of_its_own_hears_of_each_assignment(self, person, behind, monkeypatch):
        told = []

        def note(self, name, value):
            told.append((name, value))
            models.Model.__setattr__(self, name, value)

        monkeypatch.setattr(User, "__setattr__", note, raising=False)
        person.note = 1
        assert told == [("note", 1)]
        person.first_name = "Robert"
        assert told[-1] == ("first_name", "Robert")
        assert (person.first_name, person.note) == ("Robert", 1)


class TestInDjangosHands:
    def test_it_can_stand_in_a_foreign_key_and_in_a_filter(self, person, bob, queries):
        row = RefreshToken.objects.get()
        with queries(3):
            assert RefreshToken.objects.get(user=person) == row
            assert RefreshToken.objects.filter(user__in=[person]).count() == 1
            assert person.refresh_tokens.get() == row
        with queries(0):
            assert RefreshToken(user=person).user_id == bob.pk

    def test_serialized_validated_and_in_a_template_it_is_whole(self, person, bob):
        assert '"email": "bob@example.org"' in serializers.serialize("json", [person])
        claimed(bob, username="bob").full_clean()
        shown = Template("{{ user }} {{ user.email }}").render(Context({"user": claimed(bob, username="bob")}))
        assert shown == "bob bob@example.org"


class TestVanished:
    """The session ended, or the user was deleted behind Django's back, while the token was still good."""

    @pytest.fixture
    def vanished(self, person):
        RefreshToken.objects.update(user=None)
        User.objects.filter(pk=person.pk)._raw_delete("default")
        return person

    @pytest.mark.parametrize(
        "meanwhile",
        [
            lambda rows, other: rows.all().delete(),  # a backup was restored, and the key handed out again
            lambda rows, other: rows.update(user=other),
            lambda rows, other: rows.all().revoke(RefreshToken.Reason.ENDED),
            lambda rows, other: User.objects.update(is_active=False),
        ],
    )
    def test_nobody_is_shown_or_changed_but_by_the_sessions_own_row(self, person, bob, alice, meanwhile):
        meanwhile(RefreshToken.objects, alice)
        for use in (lambda: person.email, lambda: setattr(person, "first_name", "Robert"), person.delete):
            with pytest.raises(UserVanished):
                use()
        assert User.objects.filter(first_name="").count() == 2

    @pytest.mark.parametrize(
        "use",
        [
            lambda person: person.email,
            lambda person: person.save(),
            lambda person: person.save_base(),
            lambda person: person.delete(),
            lambda person: person.refresh_from_db(),
            lambda person: setattr(person, "first_name", "Robert"),
            lambda person: pickle.dumps(person),
            lambda person: Template("{{ u.username }} {{ u.email }}").render(Context({"u": person})),
            users.loaded,
        ],
    )
    def test_whoever_needs_it_is_told_each_time(self, vanished, use):
        """The first may have been swallowed."""
        for _ in range(2):
            with pytest.raises(UserVanished, match="The session of a valid token has ended"):
                use(vanished)
        assert not User.objects.exists()
        assert str(vanished) == "bob"


class TestLoaded:
    def test_it_is_loaded_and_an_ordinary_user_left_alone(self, person, bob, queries):
        with queries(1):
            assert users.loaded(person) is person
        with queries(0):
            assert person.email == "bob@example.org"
            assert users.loaded(bob) is bob


class TestKeyOf:
    @pytest.fixture
    def keyed(self, monkeypatch):
        """`keyed(field)`: the user model has a key of this kind."""

        def keyed(field):
            with isolate_apps("accounts"):
                model = type("Person", (models.Model,), {"__module__": "accounts.models", "key": field})
            monkeypatch.setattr(conf, "user_model", model)
            return model

        return keyed

    def refused(self, *subs):
        sentences = set()
        for sub in subs:
            with pytest.raises(InvalidToken) as caught:
                users.key_of(sub)
            sentences.add(str(caught.value))
        return sentences

    def test_a_number_has_one_form_and_fits_its_column(self, keyed):
        """int() takes the others, too."""
        keyed(models.BigAutoField(primary_key=True))
        for sub in ("0", "42", "9223372036854775807"):
            assert users.key_of(sub) == int(sub)
        wrong = ("", "a", "1.0", "½", "9223372036854775808", "9" * 5000)
        assert self.refused(*wrong) == {"The subject is not a key."}
        others = (" 1", "1\n", "\u20001", "01", "+1", "-0", "1_0", "\uff11")
        assert self.refused(*others) == {"The subject is not a key in its canonical form."}

    def test_a_uuid_has_one_form_and_costs_no_query_either(self, keyed, db, queries):
        model = keyed(models.UUIDField(primary_key=True))
        right = "0c5d9f3e-6a1b-4c2d-8e7f-a9b8c7d6e5f4"
        assert users.key_of(right) == UUID(right)
        others = (right.upper(), right.replace("-", ""), f"{{{right}}}")
        assert self.refused(*others) == {"The subject is not a key in its canonical form."}
        assert self.refused(f"{right}0") == {"The subject is not a key."}
        with queries(0):
            person = users.from_fields(users.fields_from_claims(right, {}), users.UserVanished)
            assert person.pk == UUID(right) and isinstance(person, model)

    def test_a_text_is_its_own_form(self, keyed):
        keyed(models.CharField(primary_key=True, max_length=20))
        assert users.key_of("zoë") == "zoë"


class TestClaimsOf:
    def test_it_says_what_the_settings_name(self, bob, settings):
        own = {"email_verified_at": None, "reuse_unanswered": False}
        assert users.claims_of(bob) == {"username": "bob", "is_staff": False, **own}
        settings.TOKENS_USER_CLAIMS = ["email", "date_joined"]
        assert users.claims_of(bob) == {"email": "bob@example.org", "date_joined": bob.date_joined.isoformat()}


class TestLockForUpdate:
    def test_it_gives_the_row_of_that_moment_in_two_statements_and_changes_nothing(self, bob, behind, queries):
        behind(first_name="Robert")
        before = User.objects.values().get(pk=bob.pk)
        with transaction.atomic(), queries(2):
            assert locks.lock_for_update(bob.pk).first_name == "Robert"
        assert User.objects.values().get(pk=bob.pk) == before

    def test_nobody_is_none(self, db):
        assert locks.lock_for_update(uuid4()) is None
