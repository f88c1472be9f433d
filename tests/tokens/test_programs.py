"""Which program a sign-in came from, as the database tells it."""

from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from tokens.models import RefreshToken
from tokens.programs import OTHER, PARTS, program

CALLS_ITSELF = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": "firefox",
    "Mozilla/5.0 (iPhone; CPU OS 17_5) AppleWebKit/605.1.15 FxiOS/128.0 Mobile/15E148 Safari/605.1.15": "firefox",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36": "chrome",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) AppleWebKit/605.1.15 CriOS/131.0 Mobile/15E148 Safari/604.1": "chrome",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0": "edge",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 OPR/116.0": "opera",
    "Mozilla/5.0 (Linux; Android) AppleWebKit/537.36 SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36": "samsung",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15": "safari",
    "curl/8.5.0": OTHER,
    "": OTHER,
}

pytestmark = pytest.mark.django_db


def sessions(user_agents):
    now = timezone.now()
    moments = {"started_at": now, "seen_at": now, "expires_at": now}
    return RefreshToken.objects.bulk_create(
        RefreshToken(jti=uuid4(), user_agent=each, **moments) for each in user_agents
    )


def test_is_the_first_name_that_fits():
    sessions(CALLS_ITSELF)

    found = RefreshToken.objects.annotate(program=program()).values_list("user_agent", "program")

    assert dict(found) == CALLS_ITSELF
    assert set(CALLS_ITSELF.values()) == {*PARTS, OTHER}


def test_is_found_by_its_index():
    """Or a list of a million would be read from end to end. SQLite has the index, but asks with values that it does not
    compare with those in it."""
    rows = RefreshToken.objects.alias(program=program()).filter(program="opera").order_by("-started_at")
    with connection.cursor() as cursor:
        indexes = connection.introspection.get_constraints(cursor, "tokens_refreshtoken")
        assert indexes["tokens_program_started_at"]["index"]
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            assert "tokens_program_started_at" in rows[:100].explain()


def test_no_index_is_of_a_column_that_a_refresh_changes():
    """Or each refresh would have to write into all of them: PostgreSQL's HOT."""
    changing = {"generation", "jti", "version", "seen_at", "probed_jti", "probes"}
    indexed = {name for index in RefreshToken._meta.indexes for name, _ in index.fields_orders}

    assert indexed == {"expires_at", "changed_at", "started_at", "address", "reason", "method"}
    assert not indexed & changing
