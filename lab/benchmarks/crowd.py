"""Very many people, sessions and events, made by PostgreSQL itself."""

from __future__ import annotations

from typing import Any

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)

# Row number n has it. One in two hundred is a program; a theft is one in ten thousand.
BROWSER = """
    CASE WHEN n % 1000 = 0 THEN 'Lynx/2.9.2 libwww-FM/2.14' WHEN n % 1000 < 5 THEN 'curl/8.5.0'
        WHEN n % 10 < 2 THEN %(firefox)s WHEN n % 10 < 7 THEN %(chrome)s ELSE %(safari)s END"""
ADDRESS = "('10.' || n % 200 || '.' || n * 7 % 250 || '.' || n * 13 % 250)::inet"
KEY = "md5(({number})::text)::uuid"  # of person number so many: as random as the site's own, and found again
PERSON = KEY.format(number="(n * 7919::bigint) % %(people)s + 1")

PEOPLE = """
    INSERT INTO accounts_user (id, username, username_key, email, first_name, last_name, password, language, is_active,
        is_staff, is_superuser, reuse_unanswered, time_zone, password_changed_at, date_joined, last_login)
    SELECT {NEW}, 'person' || n, 'person' || n, 'person' || n || '@example.org', 'Ada' || n % 500, 'Byron' || n % 3000,
        '!' || md5(n::text), 'en', n % 50 > 0, n % 10000 = 0, false, false, '',
        now(), now() - n % 1500 * interval '1 day', now() - n % 90 * interval '1 day'
    FROM generate_series(1, %(people)s) n"""
SESSIONS = """
    INSERT INTO tokens_refreshtoken (id, user_id, generation, jti, version, auth_hash, probe_count, remember, is_app,
        method, backend, name, browser, user_agent, ip_address, created_at, last_used_at, expires_at, changed_at,
        revoked_at, reason)
    SELECT gen_random_uuid(), {PERSON}, n % 40 + 1, gen_random_uuid(), 0, repeat('0', 64), 0, n % 3 > 0, n % 40 = 7,
        CASE WHEN n % 40 = 7 THEN 'api' ELSE 'password' END, '', '', 'chrome', {BROWSER}, {ADDRESS}, began,
        least(now(), began + n % 20 * interval '1 day'),
        began + CASE WHEN n % 3 > 0 THEN 30 ELSE 1 END * interval '1 day', CASE WHEN n % 5 = 0 THEN began END,
        CASE WHEN n % 5 = 0 THEN began + interval '1 hour' END,
        CASE WHEN n % 5 > 0 THEN '' WHEN n % 10000 = 0 THEN 'reused' WHEN n % 100 = 0 THEN 'password'
            WHEN n % 50 = 5 THEN 'admin' ELSE 'signed_out' END
    FROM (SELECT n, now() - n / %(rows)s.0 * interval '37 days' AS began FROM generate_series(1, %(rows)s) n) drawn"""
EVENTS = """
    INSERT INTO accounts_securityevent (user_id, kind, created_at, ip_address, user_agent, session_id, actor_id)
    SELECT CASE WHEN n % 10 > 0 THEN {PERSON} END,
        CASE WHEN n % 10 = 0 THEN 'sign_in_failed' WHEN n % 10000 = 7 THEN 'reuse_found'
            WHEN n % 10 < 6 THEN 'signed_in' WHEN n % 1000 = 8 THEN 'all_ended' ELSE 'signed_out' END,
        now() - n / %(rows)s.0 * interval '180 days', {ADDRESS}, {BROWSER}, gen_random_uuid(),
        CASE WHEN n % 1000 = 8 THEN {FIRST} END
    FROM generate_series(1, %(rows)s) n"""


def fill(people: int, rows: int) -> None:
    """Make so many `people`, and so many `rows` of sessions and of events that are theirs.

    The tables are there and hold nobody.
    """
    from django.db import connection

    make_people(people)
    facts: dict[str, Any] = {"people": people, "rows": rows, "firefox": FIREFOX, "chrome": CHROME, "safari": SAFARI}
    with connection.cursor() as cursor:
        for statement in (SESSIONS, EVENTS):
            cursor.execute(_sql(statement), facts)
        cursor.execute("VACUUM ANALYZE")


def make_people(people: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_sql(PEOPLE), {"people": people})


def _sql(statement: str) -> str:
    """Return SQL with its parts in place; a per cent sign of its own is doubled for the driver."""
    keys = {"{PERSON}": PERSON, "{NEW}": KEY.format(number="n"), "{FIRST}": KEY.format(number="1")}
    for name, part in {**keys, "{BROWSER}": BROWSER, "{ADDRESS}": ADDRESS}.items():
        statement = statement.replace(name, part)
    return statement.replace("% ", "%% ")
