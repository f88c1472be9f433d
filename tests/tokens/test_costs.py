"""What a request may cost, in things that can be counted: no clock is asked."""

import gc
import tracemalloc
from contextlib import contextmanager
from unittest import mock
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from tokens import jwts
from tokens.revocation import RevocationList

pytestmark = pytest.mark.urls("tests.tokens.urls")


@contextmanager
def counted(owner, name):
    """The calls of `owner.name` meanwhile, which goes on as ever."""
    with mock.patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)) as calls:
        yield calls


@pytest.fixture
def browser(bob, signed_in):
    """Bob's browser, whose access token this process has seen."""
    browser = signed_in(bob)
    browser.get("/who/")
    return browser


@pytest.mark.once
class TestASignedInRequest:
    """An ordinary page, the access token good and known."""

    @pytest.fixture
    def ask(self, browser, settings):
        """`ask()`: the page by TokenMiddleware alone, without a client's machinery around it."""
        settings.MIDDLEWARE = ["tokens.middleware.TokenMiddleware"]
        handler = WSGIHandler()
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())

        def ask(path="/who/"):
            environ = RequestFactory().generic("GET", path, HTTP_COOKIE=cookies).environ
            response = handler(environ, lambda status, headers: None)
            response.close()
            return response.content

        assert ask() == b"bob"
        return ask

    def test_needs_no_session_of_djangos(self, ask, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert ask() == b"bob"

    def test_leaves_nothing_to_the_collector_of_cycles(self, ask):
        gc.collect()
        gc.disable()
        try:
            ask()
            assert gc.collect() == 0
        finally:
            gc.enable()

    def test_makes_no_person_from_claims_again(self, ask):
        with counted(get_user_model(), "from_db") as made, counted(get_user_model(), "__init__") as constructed:
            assert ask() == b"bob"
        assert (made.call_count, constructed.call_count) == (0, 0)

    def test_parses_and_verifies_nothing_again(self, ask):
        with counted(jwts, "read_access") as read, counted(jwts, "read_refresh") as others:
            assert ask() == b"bob"
        assert (read.call_count, others.call_count) == (0, 0)

    def test_looks_up_no_setting_of_ours(self, ask):
        with mock.patch.object(LazySettings, "__getattr__", autospec=True, side_effect=AttributeError) as missed:
            assert ask() == b"bob"
        assert [call.args[1] for call in missed.call_args_list if call.args[1].startswith("TOKENS_")] == []


@pytest.mark.once
def test_what_a_process_keeps_of_a_row_that_changed_is_small():
    """A hundred thousand of them stay under 20 MB."""
    rows, known = 20_000, RevocationList()
    tracemalloc.start()
    try:
        known.entry("", lambda seconds: ((uuid4(), f"2026-01-01 00:00:00.{row:06}+00") for row in range(rows)))
        assert tracemalloc.get_traced_memory()[0] / rows < 160
    finally:
        tracemalloc.stop()
