"""Who somebody is, by name or address."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate

from tests.conftest import PASSWORD


class TestNameOrAddressBackend:
    @pytest.mark.parametrize("name", ["bob", "Bob", "BOB@example.org"])
    def test_finds_by_name_or_address_in_one_query(self, bob, name, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert authenticate(None, username=name, password=PASSWORD) == bob

    @pytest.mark.parametrize("name", ["bob", "nobody"])
    def test_nobody_gets_in_with_too_long_a_password(self, bob, name):
        bob.set_password("x" * 1025)
        bob.save()

        assert authenticate(None, username=name, password="x" * 1025) is None

    def test_knows_the_async_way(self, bob):
        from accounts.backends import NameOrAddressBackend

        backend = NameOrAddressBackend()

        assert async_to_sync(backend.aauthenticate)(None, "bob", PASSWORD) == bob
        assert async_to_sync(backend.aauthenticate)(None, "bob", "wrong") is None

    @pytest.mark.parametrize("missing", [{"username": "bob"}, {"password": PASSWORD}, {}])
    def test_needs_both(self, bob, missing):
        from accounts.backends import NameOrAddressBackend

        assert NameOrAddressBackend().authenticate(None, **missing) is None
