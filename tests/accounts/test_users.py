"""People: names and addresses that are one of a kind, how they are found, and the hash of a password."""

import threading
from unittest.mock import Mock

import pytest
from argon2.exceptions import HashingError
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.security import hash_process, hashers
from accounts.security.backends import UsernameOrEmailBackend
from accounts.security.validators import MaximumLengthValidator
from tests.conftest import PASSWORD
from tests.tokens.racing import together


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


class TestArgon2Hasher:
    def test_hashes_by_the_second_recommendation_of_rfc_9106(self):
        encoded = hashers.Argon2Hasher().encode("password", "saltsaltsalt")
        assert encoded.startswith("argon2$argon2id$v=19$m=65536,t=3,p=4$")

    def test_a_burst_takes_no_more_than_the_slots(self, monkeypatch):
        """Two hashes at work wait for each other; a third would break the barrier for all."""
        monkeypatch.setattr(hash_process, "_slots", threading.BoundedSemaphore(2))
        monkeypatch.setattr(hash_process, "_free", [])
        meeting, running, most = threading.Barrier(2), [], []

        def work(question):
            running.append(1)
            meeting.wait(30)
            most.append(len(running))
            meeting.wait(30)
            running.pop()
            return '"$hash"'

        monkeypatch.setattr(hash_process, "HashProcess", Mock(return_value=Mock(ask=work)))
        hasher = hashers.Argon2Hasher()
        together([lambda: hasher.encode("a", "saltsalt")] * 6)
        assert most == [2] * 6

    def test_a_slot_is_given_back_after_an_error(self):
        for _ in range(5):
            with pytest.raises(HashingError):
                hashers.Argon2Hasher().encode("password", "short")
