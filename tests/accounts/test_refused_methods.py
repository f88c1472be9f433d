"""Addresses that take no such method: whoever comes there reads so, and finds the way back."""

import pytest
from django.urls import reverse

pytestmark = pytest.mark.once


class TestRefusedMethods:
    @pytest.mark.parametrize(
        ("method", "name", "allow"), [("get", "logout", "POST"), ("post", "activity", "GET, HEAD")]
    )
    def test_are_told_on_a_page_with_a_way_back(self, client, bob, sign_in, method, name, allow):
        sign_in(client, bob)

        response = getattr(client, method)(reverse(name))

        assert response.status_code == 405
        assert response.headers["Allow"] == allow
        assert "This is no page" in response.content.decode()
        assert f'href="{reverse("home")}"' in response.content.decode()

    def test_are_told_to_strangers_as_well(self, client, db):
        assert "This is no page" in client.get(reverse("logout")).content.decode()

    @pytest.mark.parametrize("path", ["/healthz", "/.well-known/jwks.json"])
    def test_are_told_to_machines_by_the_header_alone(self, client, db, path):
        response = client.post(path)

        assert (response.status_code, response.content) == (405, b"")
        assert "GET" in response.headers["Allow"]
