"""The document of the API by itself: well made, and of the same addresses, words and figures as the code."""

import inspect
import json
import re
from importlib.resources import files

import jsonschema_rs
import pytest
from django.test import Client

from accounts.api import views
from accounts.api.endpoint import MAX_BODY
from accounts.api.problems import REALM
from accounts.api.urls import urlpatterns
from accounts.models.factors import ATTEMPT_LIFETIME, ATTEMPT_TRIES
from tokens.models import RefreshToken

pytestmark = pytest.mark.once

DOCUMENT = json.loads(files("accounts.api").joinpath("openapi.json").read_text())
UUID = "50011152-dee5-4af5-885d-8f2c58ae8fb8"


def routes():
    """The addresses of the URL conf, but for the two that show the document and the one for all the rest."""
    return [f"/api/{entry.pattern}" for entry in urlpatterns if str(entry.pattern) and entry.name != "openapi"]


def methods(route):
    """As the server itself tells whoever comes with another one."""
    response = Client().generic("BREW", route.replace("<uuid:pk>", UUID))
    assert response.status_code == 405
    return set(response.headers["Allow"].split(", "))


def with_head(methods):
    """A document need not say that there is a HEAD where there is a GET."""
    return {method.upper() for method in methods} | ({"HEAD"} if "get" in methods else set())


def examples(described):
    """Each schema of the document that has an example beside it, with that."""
    if isinstance(described, dict):
        if {"schema", "example"} <= described.keys():
            yield described["schema"], described["example"]
        described = list(described.values())
    if isinstance(described, list):
        for item in described:
            yield from examples(item)


def test_is_open_and_kept_by_caches_and_looks_at_no_cookie():
    response = Client().get("/api/openapi.json", headers={"cookie": "__Host-access=x; __Host-refresh=y"})
    assert response.json() == DOCUMENT
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert "Vary" not in response.headers and not response.cookies
    again = Client().get("/api/openapi.json", headers={"if-none-match": response.headers["ETag"]})
    assert again.status_code == 304
    assert Client().post("/api/openapi.json").status_code == 405


def test_its_addresses_and_methods_are_those_of_the_url_conf():
    known = {re.sub("<.*?>", "{}", route): methods(route) for route in routes()}
    documented = {re.sub("{.*?}", "{}", f"/api{path}"): with_head(item) for path, item in DOCUMENT["paths"].items()}
    assert documented == known
    assert DOCUMENT["servers"] == [{"url": "/api"}]


def test_every_example_is_what_its_schema_says():
    found = list(examples(DOCUMENT))
    assert len(found) > 15
    for schema, example in found:
        whole = {**schema, "components": DOCUMENT["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(example)


def test_repeats_what_the_code_says():
    components = DOCUMENT["components"]
    assert components["schemas"]["Session"]["properties"]["opened"]["enum"] == RefreshToken.Method.values
    assert components["headers"]["Challenge"]["schema"]["pattern"] == f"^{REALM}"
    too_large = components["responses"]["TooLarge"]["content"]["application/problem+json"]["example"]
    assert str(MAX_BODY) in too_large["detail"]
    refusals = set(re.findall(r'title="(\w+)"', inspect.getsource(views)))
    told = [components["responses"][name]["description"] for name in ("WrongPassword", "WrongCode")]
    assert refusals and refusals <= set(re.findall(r"\w+", " ".join(told)))
    example = components["responses"]["WrongPassword"]["content"]["application/problem+json"]["example"]
    assert example["expires_in"] == ATTEMPT_LIFETIME.total_seconds()
    assert components["schemas"]["WrongCode"]["properties"]["tries_left"]["maximum"] == ATTEMPT_TRIES
