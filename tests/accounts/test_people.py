"""Names and addresses that are one of a kind, and the longest password."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.validators import MaximumLengthValidator
from tests.conftest import PASSWORD


class TestUser:
    @pytest.mark.parametrize(
        ("name", "address"), [("Bob", "other@example.org"), ("other", "BOB@example.org"), ("bob", "bob@example.org")]
    )
    def test_is_one_of_a_kind_whatever_the_case(self, bob, name, address):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.create_user(name, address, PASSWORD)

    def test_needs_an_address(self, db):
        with pytest.raises(ValidationError) as error:
            User(username="x", password="y").full_clean()

        assert error.value.message_dict.keys() == {"email"}

    def test_a_name_is_never_an_address(self, db):
        with pytest.raises(ValidationError) as error:
            User(username="bob@example.org", email="x@example.org", password="y").full_clean()

        assert error.value.message_dict.keys() == {"username"}


class TestMaximumLengthValidator:
    def test_takes_1024_characters_and_refuses_one_more(self):
        MaximumLengthValidator().validate("🦉" * 1024)
        with pytest.raises(ValidationError, match="1024 characters"):
            MaximumLengthValidator().validate("🦉" * 1025)

    def test_tells_its_limit(self):
        assert "1024" in MaximumLengthValidator().get_help_text()


class TestAddressInTheAdmin:
    def test_is_kept_in_the_spelling_that_it_is_looked_for_in(self, client, alice, sign_in):
        sign_in(client, alice)
        client.post("/admin/accounts/user/add/", {"username": "carol", "email": "carol@B\u00fccher.example"})

        assert User.objects.get(username="carol").email == "carol@xn--bcher-kva.example"
        assert User.objects.named("carol@b\u00fccher.example").exists()
