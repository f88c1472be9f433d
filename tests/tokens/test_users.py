import copy
import pickle
from uuid import UUID

import pytest
from django import forms
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core import serializers
from django.db import OperationalError, connection, models, transaction
from django.db.models.signals import post_init
from django.http import QueryDict
from django.template import Context, Template
from django.test import override_settings
from django.test.utils import isolate_apps

from tests.conftest import PASSWORD
from tokens import users
from tokens.core.exceptions import InvalidToken
from tokens.models import RefreshToken
from tokens.users import UserVanished

User = get_user_model()


@pytest.fixture
def person(bob):
    """Bob, as a token tells of him."""
    return users.from_fields(users.fields_from_claims(str(bob.pk), {"username": "bob", "is_staff": False}))


@pytest.fixture
def behind(bob):
    """`behind(**values)` changes the row of Bob behind everybody's back."""
    return lambda **values: User.objects.filter(pk=bob.pk).update(**values)


@pytest.fixture
def queries(django_assert_num_queries):
    return django_assert_num_queries


class TestFromClaims:
    def test_what_the_token_says_costs_no_query(self, person, bob, queries):
        with queries(0):
            assert person.pk == person.id == bob.pk
            assert person.username == person.get_username() == str(person) == "bob"
            assert person.is_staff is False
            assert person.is_active is True
            assert person.is_authenticated is True
            assert person.is_anonymous is False

    def test_it_is_a_user_like_any_other(self, person, bob, queries):
        with queries(0):
            assert isinstance(person, User)
            assert person == bob
            assert bob == person
            assert hash(person) == hash(bob)
            assert person in {bob}
            assert person in [bob]
            assert type(person).__name__ == "User"
            assert type(person).__module__ == User.__module__
            assert type(person).__doc__ == User.__doc__
            assert person._meta is User._meta
            assert repr(person) == repr(bob)

    def test_another_is_another(self, person, alice):
        assert person != alice
        assert person != users.from_fields(users.fields_from_claims(str(alice.pk), {"username": "bob"}))

    def test_any_other_field_loads_the_row_once(self, person, queries):
        with queries(1):
            assert person.email == "bob@example.org"
            assert person.first_name == ""
            assert person.date_joined
            assert person.check_password(PASSWORD)
            assert type(person) is User

    def test_then_the_row_is_right_and_not_the_claims(self, person, behind):
        behind(username="robert", is_staff=True)
        assert person.username == "bob"
        assert person.email
        assert person.username == "robert"
        assert person.is_staff is True

    def test_an_attribute_of_no_field_costs_nothing(self, person, queries):
        with queries(0):
            person.backend = "somebody"
            person.note = 1
            assert person.note == 1

    def test_no_app_registry_knows_the_class(self, person):
        assert type(person) is not User
        assert type(person) not in apps.get_models(include_auto_created=True, include_swapped=True)
        assert apps.get_model(User._meta.label) is User

    def test_one_class_serves_all(self, person, alice):
        assert type(users.from_fields(users.fields_from_claims(str(alice.pk), {"username": "alice"}))) is type(person)

    def test_claims_that_are_no_field_are_passed_over(self, bob, queries):
        person = users.from_fields(users.fields_from_claims(str(bob.pk), {"username": "bob", "nbf": 1, "scope": "all"}))
        with queries(0):
            assert person.username == "bob"
        assert not hasattr(person, "scope")

    def test_a_claim_of_a_richer_kind_has_its_type_again(self, bob, settings, queries):
        settings.TOKENS_USER_CLAIMS = ["username", "date_joined", "is_superuser", "last_login"]
        person = users.from_fields(users.fields_from_claims(str(bob.pk), users.claims_of(bob)))
        with queries(0):
            assert person.date_joined == bob.date_joined
            assert person.is_superuser is False
            assert person.last_login is None

    def test_whoever_asks_for_nothing_that_is_known_gets_the_row(self, bob, queries):
        person = users.from_fields(users.fields_from_claims(str(bob.pk), {}))
        with queries(1):
            assert person.username == "bob"


class TestTwoRequests:
    def test_share_nothing_that_a_receiver_of_post_init_hangs_on_the_user(self, bob):
        def hang(sender, instance, **kwargs):
            instance.preferences = {}

        fields = users.fields_from_claims(str(bob.pk), {"username": "bob"})
        post_init.connect(hang, sender=User)
        try:
            one, other = users.from_fields(fields), users.from_fields(fields)
        finally:
            post_init.disconnect(hang, sender=User)
        one.preferences["theme"] = "dark"
        assert (one.preferences, other.preferences) == ({"theme": "dark"}, {})


class TestCopies:
    def test_a_pickle_is_an_ordinary_user_with_the_row_of_that_moment(self, person, behind):
        behind(username="robert")
        thawed = pickle.loads(pickle.dumps(person))  # noqa: S301
        assert type(thawed) is User
        assert (thawed.username, thawed.email) == ("robert", "bob@example.org")

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
    def test_a_copy_is_an_ordinary_user_and_does_not_share_its_state(self, person, copied):
        other = copied(person)
        assert type(other) is User
        assert other == person
        other.first_name = "Robert"
        assert person.first_name == ""
        assert other._state is not person._state


class TestWriting:
    def test_the_first_assignment_loads_the_row_once(self, person, queries):
        with queries(1):
            person.first_name = "Robert"
            person.last_name = "Roe"
        assert person.first_name == "Robert"

    @pytest.mark.parametrize("name", ["username", "is_staff", "first_name", "email", "pk", "id", "is_active"])
    def test_an_assignment_is_kept_even_of_a_field_that_the_token_told(self, person, name):
        value = {"is_staff": True, "is_active": False, "pk": 7, "id": 7}.get(name, "robert@example.org")
        setattr(person, name, value)
        assert getattr(person, name) == value
        assert type(person) is User

    def test_a_stale_claim_is_never_written_back(self, person, behind):
        behind(username="robert", is_staff=True, is_active=False, password="another")
        person.first_name = "Robert"
        person.save()
        row = User.objects.get(pk=person.pk)
        assert (row.first_name, row.username, row.is_staff, row.is_active) == ("Robert", "robert", True, False)
        assert row.password == "another"

    def test_nor_by_saving_without_a_change(self, person, behind):
        behind(username="robert", is_staff=True)
        person.save()
        row = User.objects.get(pk=person.pk)
        assert (row.username, row.is_staff) == ("robert", True)

    def test_nor_by_saving_the_very_fields_of_the_claims(self, person, behind):
        behind(username="robert")
        person.save(update_fields=["username"])
        assert User.objects.get(pk=person.pk).username == "robert"

    def test_nor_after_the_database_failed_once(self, person, behind):
        """What failed to load must not become an ordinary user with the token's values in it."""
        behind(username="robert", is_staff=True)

        def failing(execute, *args):
            raise OperationalError("gone")

        with connection.execute_wrapper(failing), pytest.raises(OperationalError):
            person.email  # noqa: B018
        person.first_name = "Robert"
        person.save()
        row = User.objects.get(pk=person.pk)
        assert (row.first_name, row.username, row.is_staff) == ("Robert", "robert", True)

    def test_one_field_can_be_saved(self, person, behind):
        person.first_name = "Robert"
        behind(last_name="Roe")
        person.save(update_fields=["first_name"])
        row = User.objects.get(pk=person.pk)
        assert (row.first_name, row.last_name) == ("Robert", "Roe")

    def test_a_new_password_is_set(self, person):
        person.set_password("another battery staple")
        person.save()
        assert User.objects.get(pk=person.pk).check_password("another battery staple")

    def test_save_base_writes_no_claim_either(self, person, behind):
        behind(username="robert")
        person.save_base(update_fields=frozenset({"username"}))
        assert User.objects.get(pk=person.pk).username == "robert"

    def test_it_can_be_deleted(self, person):
        person.delete()
        assert not User.objects.filter(username="bob").exists()

    def test_it_can_be_refreshed(self, person, behind, queries):
        behind(username="robert")
        with queries(1):
            assert person.refresh_from_db() is None
        assert person.username == "robert"
        assert type(person) is User

    def test_refreshing_one_field_refreshes_the_others_too(self, person, behind):
        behind(username="robert")
        person.refresh_from_db(fields=["email"])
        assert person.username == "robert"


class TestInDjangosHands:
    def test_a_form_shows_and_saves_it(self, person, behind):
        class Form(forms.ModelForm):
            class Meta:
                model = User
                fields = ("first_name", "email")

        assert Form(instance=person).initial == {"first_name": "", "email": "bob@example.org"}
        behind(is_staff=True)
        form = Form(QueryDict("first_name=Robert&email=robert@example.org"), instance=person)
        assert form.is_valid(), form.errors
        form.save()
        row = User.objects.get(pk=person.pk)
        assert (row.first_name, row.email) == ("Robert", "robert@example.org")

    def test_a_form_finds_the_name_of_another_taken_and_its_own_not(self, person, alice):
        class Form(forms.ModelForm):
            class Meta:
                model = User
                fields = ("username",)

        assert Form(QueryDict("username=bob"), instance=person).is_valid()
        fresh = users.from_fields(users.fields_from_claims(str(person.pk), {"username": "bob"}))
        assert not Form(QueryDict("username=alice"), instance=fresh).is_valid()

    def test_it_can_stand_in_a_foreign_key_and_in_a_filter(self, person, bob, queries):
        row = RefreshToken.objects.start(bob)
        with queries(3):
            assert RefreshToken.objects.get(user=person) == row
            assert RefreshToken.objects.filter(user__in=[person]).count() == 1
            assert person.refresh_tokens.get() == row
        with queries(0):
            assert RefreshToken(user=person).user_id == bob.pk
        row.user = person
        row.save(update_fields=["user"])
        assert RefreshToken.objects.get(user=bob) == row

    def test_permissions_and_groups_are_the_rows(self, person, bob):
        bob.user_permissions.add(Permission.objects.get(codename="view_refreshtoken"))
        bob.groups.add(Group.objects.create(name="readers"))
        assert person.has_perm("tokens.view_refreshtoken")
        assert not person.has_perm("tokens.end_refreshtoken")
        assert [group.name for group in person.groups.all()] == ["readers"]

    def test_a_superuser_has_them_all(self, alice):
        person = users.from_fields(users.fields_from_claims(str(alice.pk), {"username": "alice", "is_staff": True}))
        assert person.has_perms(["tokens.view_refreshtoken", "tokens.end_refreshtoken"])
        assert person.has_module_perms("tokens")

    def test_many_to_many_can_be_written(self, person, bob):
        person.groups.add(Group.objects.create(name="readers"))
        assert bob.groups.count() == 1

    def test_serialized_and_validated_it_is_whole(self, person):
        person.full_clean()
        assert '"email": "bob@example.org"' in serializers.serialize("json", [person])

    def test_a_template_prints_it(self, person):
        assert Template("{{ user }} {{ user.email }}").render(Context({"user": person})) == "bob bob@example.org"


class TestVanished:
    """The row was deleted behind Django's back while the token was still good."""

    @pytest.fixture
    def gone(self, person, behind):
        User.objects.filter(pk=person.pk)._raw_delete("default")
        return person

    @pytest.mark.parametrize(
        "use",
        [
            lambda person: person.email,
            lambda person: person.save(),
            lambda person: person.save_base(),
            lambda person: person.delete(),
            lambda person: person.refresh_from_db(),
            lambda person: person.set_password("x"),
            lambda person: setattr(person, "first_name", "Robert"),
            lambda person: person.has_perm("tokens.view_refreshtoken"),
            lambda person: pickle.dumps(person),
            lambda person: copy.copy(person),
            lambda person: users.loaded(person),
        ],
    )
    def test_whoever_needs_it_is_told(self, gone, use):
        with pytest.raises(UserVanished, match=r"^The user of a valid token has no row any more\.$"):
            use(gone)

    def test_and_told_again(self, gone):
        """The first may have been swallowed, by a template for one."""
        for _ in range(3):
            with pytest.raises(UserVanished):
                gone.email  # noqa: B018
        with pytest.raises(UserVanished):
            gone.save()
        assert not User.objects.exists()

    def test_what_the_token_says_is_still_said(self, gone):
        assert str(gone) == "bob"

    def test_a_template_shows_nobody_by_halves(self, gone):
        with pytest.raises(UserVanished):
            Template("{{ u.username }} {{ u.email }}").render(Context({"u": gone}))


class TestWhole:
    def test_it_is_loaded(self, person, queries):
        with queries(1):
            assert users.loaded(person) is person
        with queries(0):
            assert person.email == "bob@example.org"

    def test_an_ordinary_user_is_left_alone(self, bob, queries):
        with queries(0):
            assert users.loaded(bob) is bob


@pytest.fixture
def keyed(monkeypatch):
    """`keyed(field)`: the user model has a key of this kind."""

    def keyed(field):
        with isolate_apps("accounts"):
            model = type("Person", (models.Model,), {"__module__": "accounts.models", "key": field})
        monkeypatch.setattr(users, "get_user_model", lambda: model)
        return model

    return keyed


class TestKeyOf:
    """As numbers have it, which can be written in the most ways."""

    @pytest.fixture(autouse=True)
    def _numbered(self, keyed):
        keyed(models.BigAutoField(primary_key=True))

    @pytest.mark.parametrize("sub", ["0", "1", "42", "9223372036854775807"])
    def test_the_canonical_form_of_a_key(self, sub):
        assert users.key_of(sub) == int(sub)

    @pytest.mark.parametrize(
        "sub", ["", "a", "1.0", "1e3", "None", "True", "0x1", "1;", "' OR 1=1 --", "\ud800", "½", "NaN"], ids=ascii
    )
    def test_what_is_no_key(self, sub):
        with pytest.raises(InvalidToken, match=r"^The subject is not a key\.$"):
            users.key_of(sub)

    @pytest.mark.parametrize(
        "sub",
        [" 1", "1 ", "\n1", "1\n", "\u00a01", "\u20001", "01", "+1", "-0", "00", "1_0", "\uff11", "\u0661", "\u09e7"],
        ids=ascii,
    )
    def test_other_forms_that_int_takes(self, sub):
        with pytest.raises(InvalidToken, match=r"^The subject is not a key in its canonical form\.$"):
            users.key_of(sub)

    @pytest.mark.parametrize("sub", ["9" * 400, "9" * 5000, "9223372036854775808"], ids=len)
    def test_a_number_that_no_key_can_be(self, sub):
        with pytest.raises(InvalidToken):
            users.key_of(sub)


class TestKeyOfAnotherKind:
    def test_a_uuid_has_one_form(self, keyed):
        keyed(models.UUIDField(primary_key=True))
        right = "0c5d9f3e-6a1b-4c2d-8e7f-a9b8c7d6e5f4"
        assert users.key_of(right) == UUID(right)
        for wrong in (right.upper(), right.replace("-", ""), f"{{{right}}}", f"urn:uuid:{right}"):
            with pytest.raises(InvalidToken, match="canonical"):
                users.key_of(wrong)
        with pytest.raises(InvalidToken, match=r"^The subject is not a key\.$"):
            users.key_of(right + "0")

    def test_a_text_is_its_own_form(self, keyed):
        keyed(models.CharField(primary_key=True, max_length=20))
        assert users.key_of("zoë") == "zoë"

    def test_a_person_with_a_uuid_costs_no_query_either(self, keyed, db, queries):
        model = keyed(models.UUIDField(primary_key=True))
        with queries(0):
            person = users.from_fields(users.fields_from_claims("0c5d9f3e-6a1b-4c2d-8e7f-a9b8c7d6e5f4", {}))
            assert person.pk == UUID("0c5d9f3e-6a1b-4c2d-8e7f-a9b8c7d6e5f4")
            assert isinstance(person, model)


class TestAModelWithASetattrOfItsOwn:
    @pytest.fixture
    def told(self, monkeypatch):
        """The assignments that the model hears of."""
        told = []

        def __setattr__(self, name, value):
            told.append((name, value))
            models.Model.__setattr__(self, name, value)

        monkeypatch.setattr(User, "__setattr__", __setattr__, raising=False)
        return told

    def test_it_hears_of_each_assignment(self, told, person):
        told.clear()
        person.note = 1
        assert told == [("note", 1)]
        person.first_name = "Robert"
        assert told[-1] == ("first_name", "Robert")
        assert (person.first_name, person.note) == ("Robert", 1)

    def test_a_stale_claim_is_not_written_back(self, told, person, behind):
        behind(username="robert")
        person.first_name = "Robert"
        person.save()
        assert User.objects.get(pk=person.pk).username == "robert"


class TestClaimsOf:
    def test_it_says_what_the_settings_name(self, bob, settings):
        assert users.claims_of(bob) == {"username": "bob", "is_staff": False, "email_verified_at": None}
        settings.TOKENS_USER_CLAIMS = ["email", "is_superuser"]
        assert users.claims_of(bob) == {"email": "bob@example.org", "is_superuser": False}

    def test_a_moment_becomes_text_and_nothing_stays_nothing(self, bob, settings):
        settings.TOKENS_USER_CLAIMS = ["date_joined", "last_login"]
        assert users.claims_of(bob) == {"date_joined": bob.date_joined.isoformat(), "last_login": None}


class TestLock:
    def test_it_gives_the_row_of_that_moment_in_two_statements(self, bob, behind, queries):
        behind(first_name="Robert")
        with transaction.atomic(), queries(2):
            assert users.lock_for_update(bob.pk).first_name == "Robert"

    def test_it_changes_nothing(self, bob):
        before = User.objects.values().get(pk=bob.pk)
        users.lock_for_update(bob.pk)
        assert User.objects.values().get(pk=bob.pk) == before

    def test_nobody_is_none(self, db):
        assert users.lock_for_update(10**6) is None


class TestAuthHash:
    def test_it_changes_with_the_password_and_is_not_djangos(self, bob):
        before = users.auth_hash(bob)
        assert before == users.auth_hash(User.objects.get(pk=bob.pk))
        assert before != bob.get_session_auth_hash()
        assert len(before) == 64
        bob.set_password("another battery staple")
        assert users.auth_hash(bob) != before

    def test_all_good_ones_begin_with_todays(self, bob, settings):
        before = users.auth_hash(bob)
        with override_settings(SECRET_KEY="a new secret", SECRET_KEY_FALLBACKS=["unused", settings.SECRET_KEY]):
            good = list(users.auth_hashes(bob))
            assert good[0] == users.auth_hash(bob) != before
            assert good[2] == before
            assert len(good) == 3
