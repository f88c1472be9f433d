"""The statements in docs/explanation/scale.md find their rows by an index, however many rows there are."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.tokens.clock import age
from tokens.models import RefreshToken
from tokens.revocation import local_revocation_list

pytestmark = pytest.mark.urls("tests.tokens.urls")

PEOPLE, EACH = 500, 3  # sign-ins: enough for an index to be worth its while
BY_KEY = {
    "postgresql": "tokens_refreshtoken_pkey",
    "sqlite": "sqlite_autoindex_tokens_refreshtoken_1",
    "mysql": "PRIMARY",
}
TABLES = ("tokens_refreshtoken", "accounts_user")
READS_ALL = {
    "postgresql": re.compile(rf"Seq Scan on ({'|'.join(TABLES)})"),
    "sqlite": re.compile(r"SCAN (?!.*USING)"),
    "mysql": re.compile(rf"({'|'.join(TABLES)}) (ALL|index) "),
}


@pytest.fixture
def many(db):
    """Many people with a few sign-ins each, some of which ended just now; and the planner knows."""
    people = get_user_model()
    made = people.objects.bulk_create(people(username=f"person{n}", email=f"{n}@example.org") for n in range(PEOPLE))
    now = timezone.now()
    ended = {n: {"changed_at": now, "revoked_at": now, "reason": "signed_out"} for n in range(20)}
    RefreshToken.objects.bulk_create(
        RefreshToken(
            user=person,
            jti=f"00000000-0000-4000-8000-{n:012}",
            created_at=now - timedelta(minutes=n),
            last_used_at=now - timedelta(minutes=n),
            expires_at=now + timedelta(days=30) - timedelta(minutes=n),
            **ended.get(n, {}),
        )
        for n, person in enumerate(made * EACH)
    )
    if connection.vendor != "mysql":  # there it would commit, and the index is looked at itself
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


@pytest.fixture
def plans(many):
    """`plans(act)`: statement and plan of each query that it makes of our tables."""

    def plans(act):
        with CaptureQueriesContext(connection) as captured:
            act()
        statements = [query["sql"] for query in captured.captured_queries]
        found = {
            sql: plan(sql) for sql in statements if re.match(r"\(?(SELECT|UPDATE|DELETE)", sql) and about_ours(sql)
        }
        assert found
        return found

    return plans


def about_ours(sql):
    return any(table in sql for table in TABLES)


def plan(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql.replace('%', '%%')}", ())
        return "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())


def check(found):
    reads_all = READS_ALL[connection.vendor]
    assert {sql: plan for sql, plan in found.items() if reads_all.search(plan)} == {}


class TestPlans:
    def test_the_check_sees_a_query_that_reads_all(self, plans):
        found = plans(lambda: RefreshToken.objects.filter(user_agent="nobody's").exists())
        with pytest.raises(AssertionError):
            check(found)

    def test_a_refresh_reads_one_row_and_its_person_and_looks_at_the_row_again(self, bob, signed_in, plans):
        browser = signed_in(bob)
        del browser.cookies["__Host-access"]
        local_revocation_list.entry("", lambda seconds: [])
        found = plans(lambda: browser.get("/who/"))
        check(found)
        assert len(found) == 2
        assert all(BY_KEY[connection.vendor] in plan for plan in found.values())

    def test_a_refresh_that_confirms_and_stamps_writes_by_key(self, bob, signed_in, plans):
        browser = signed_in(bob)
        del browser.cookies["__Host-access"]
        browser.get("/who/")
        age(browser, 4000)
        RefreshToken.objects.filter(user=bob).update(last_used_at=timezone.now() - timedelta(hours=2))
        found = plans(lambda: browser.get("/who/"))
        check(found)
        updates = [sql for sql in found if sql.startswith("UPDATE")]
        assert len(updates) == 2 and all(re.search(r'\bid["`]? = ', sql) for sql in updates)

    def test_a_guarded_page_a_sign_in_and_the_ends_of_one_session_and_of_all(self, bob, signed_in, plans):
        browser = signed_in(bob)
        for act in (
            lambda: browser.get("/guarded/"),
            lambda: RefreshToken.objects.start(bob),
            lambda: browser.post("/log-out/"),
            lambda: RefreshToken.objects.revoke_for([bob], "admin"),
            lambda: list(RefreshToken.objects.changed_within(1900)),
        ):
            check(plans(act))

    def test_pruning(self, plans):
        few = RefreshToken.objects.filter(user__username="person7")  # of many, all are read sooner
        few.update(expires_at=timezone.now() - timedelta(days=8))
        check(plans(lambda: RefreshToken.objects.prune()))
