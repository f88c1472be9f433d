"""Devices in words, the hasher, the backend and the unique names."""

import threading
import time

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import hashers
from accounts.devices import describe
from accounts.models import User
from accounts.validators import MaximumLengthValidator
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE
from tests.conftest import PASSWORD

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 {}Safari/537.36"
)
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605"


class TestDescribe:
    @pytest.mark.parametrize(
        ("user_agent", "words", "kind"),
        [
            (FIREFOX, "Firefox 128 on Linux", "desktop"),
            (CHROME, "Chrome 131 on Windows", "desktop"),
            (CHROME + " Edg/131.0.0.0", "Edge 131 on Windows", "desktop"),
            (MAC, "Safari 17 on macOS", "desktop"),
            (IPHONE, "Safari 17 on iPhone", "phone"),
            (IPHONE.replace("iPhone", "iPad", 1), "Safari 17 on iPad", "tablet"),
            (ANDROID.format("Mobile "), "Chrome 131 on Android", "phone"),
            (ANDROID.format(""), "Chrome 131 on Android", "tablet"),
            ("curl/7.88.1", "curl 7", "other"),
            ("", "A browser we do not know", "other"),
            ("?" * 300, "A browser we do not know", "other"),
        ],
    )
    def test_says(self, user_agent, words, kind):
        device = describe(user_agent)

        assert (str(device), device.kind) == (words, kind)

    def test_quotes_nobody_at_length(self):
        assert len(str(describe("Mozilla/5.0 (compatible; " + "a" * 250 + "bot/1.0)"))) < 90

    def test_remembers(self):
        assert describe(FIREFOX) is describe(FIREFOX)


class TestArgon2Hasher:
    def test_hashes_by_the_second_recommendation_of_rfc_9106(self):
        encoded = hashers.Argon2Hasher().encode("password", "saltsaltsalt")

        assert encoded.startswith("argon2$argon2id$v=19$m=65536,t=3,p=4$")

    @pytest.mark.parametrize("method", ["encode", "verify"])
    def test_a_burst_takes_two_slots_at_most(self, monkeypatch, method):
        running, most, lock = 0, 0, threading.Lock()

        def slow(*args):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1

        monkeypatch.setattr(hashers.Argon2PasswordHasher, method, slow)
        hasher = hashers.Argon2Hasher()
        threads = [threading.Thread(target=getattr(hasher, method), args=("a", "b")) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert most == 2

    def test_a_slot_is_given_back_after_an_error(self):
        for _ in range(5):
            with pytest.raises(ValueError):
                hashers.Argon2Hasher().verify("password", "no hash")


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
