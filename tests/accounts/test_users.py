"""People: names and addresses that are one of a kind, and how they are found."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.security.backends import UsernameOrEmailBackend
from accounts.security.validators import MaximumLengthValidator
from tests.conftest import PASSWORD


class TestUser:
    @pytest.mark.parametrize(("name", "address"), [("Bob", "other@example.org"), ("other", "BOB@example.org")])
    def test_is_one_of_a_kind_whatever_the_case_once_the_address_is_confirmed(self, bob, name, address):
        User.objects.update(email_verified_at=timezone.now())
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.create_user(name, address, PASSWORD, email_verified_at=timezone.now())

    def test_needs_an_address_and_a_name_that_is_none(self, db):
        for about, wrong in (({"username": "x"}, "email"), ({"username": "b@x.org", "email": "x@x.org"}, "username")):
            with pytest.raises(ValidationError) as error:
                User(**about, password="y").full_clean()
            assert error.value.message_dict.keys() == {wrong}


def test_a_password_has_at_most_1024_characters():
    MaximumLengthValidator().validate("🦉" * 1024)
    assert "1024" in MaximumLengthValidator().get_help_text()
    with pytest.raises(ValidationError):
        MaximumLengthValidator().validate("🦉" * 1025)


class TestNameOrAddressBackend:
    def test_finds_by_name_or_address_in_one_query(self, bob, django_assert_num_queries):
        for name in ("bob", "Bob", "BOB@example.org"):
            with django_assert_num_queries(1):
                assert authenticate(None, username=name, password=PASSWORD) == bob

    def test_nobody_gets_in_with_too_long_a_password(self, bob):
        bob.set_password("x" * 1025)
        bob.save()
        assert authenticate(None, username="bob", password="x" * 1025) is None

    def test_knows_the_async_way(self, bob):
        authenticate = async_to_sync(UsernameOrEmailBackend().aauthenticate)
        assert authenticate(None, "bob", PASSWORD) == bob
        assert authenticate(None, "bob", "wrong") is None

    @pytest.mark.parametrize("missing", [{"username": "bob"}, {"password": PASSWORD}])
    def test_needs_both(self, bob, missing):
        assert UsernameOrEmailBackend().authenticate(None, **missing) is None
