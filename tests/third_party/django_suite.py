"""`python django_suite.py SOURCE PROJECT LABEL...`: Django's own tests, with `tokens` in place of its sessions.

SOURCE is Django's unpacked source distribution, PROJECT the folder that `tokens` is in. Nothing else of this project is
imported, so that any environment with Django and PyJWT will do. Prints the names of the tests that fail.
"""

import os
import sys
from pathlib import Path
from typing import Any

OURS, DJANGOS = "tokens.middleware.TokenMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"


def main(source: Path, project: str, labels: list[str]) -> None:
    os.chdir(source / "tests")
    sys.path[:0] = [str(source / "tests"), project]
    os.environ["DJANGO_SETTINGS_MODULE"] = "test_sqlite"
    os.environ.setdefault("TMPDIR", str(source))
    import runtests
    from django.test.runner import DiscoverRunner

    apps, middleware = runtests.ALWAYS_INSTALLED_APPS, runtests.ALWAYS_MIDDLEWARE
    apps.insert(apps.index("django.contrib.auth") + 1, "tokens")
    middleware[middleware.index(DJANGOS)] = OURS
    collect = runtests.setup_collect_tests

    def with_tokens(*args: Any, **kwargs: Any) -> Any:
        from django.conf import settings

        settings.TOKENS_ISSUER = "https://example.org"
        collected = collect(*args, **kwargs)
        replace_the_clients()
        return collected

    def failed(self: DiscoverRunner, suite: object, result: Any, **_: object) -> int:
        names = {test.id() if hasattr(test, "id") else str(test) for test, _ in (*result.failures, *result.errors)}
        print(f"{result.testsRun} tests", *sorted(names), sep="\n")
        return len(names)

    runtests.setup_collect_tests = with_tokens
    DiscoverRunner.suite_result = failed  # type: ignore[method-assign]
    options: dict[str, Any] = dict.fromkeys(("test_name_patterns", "start_at", "start_after"))
    options |= dict.fromkeys(("interactive", "failfast", "keepdb", "reverse", "debug_sql", "pdb", "buffer"), False)
    options |= {"timing": False, "shuffle": False, "tags": [], "exclude_tags": []}
    runtests.django_tests(verbosity=0, test_labels=labels, parallel=1, **options)


def replace_the_clients() -> None:
    from auth_tests import settings
    from django import test

    from tokens import testing

    test.Client, test.AsyncClient = testing.Client, testing.AsyncClient  # type: ignore[misc]
    test.SimpleTestCase.client_class = testing.Client
    test.SimpleTestCase.async_client_class = testing.AsyncClient
    settings.AUTH_MIDDLEWARE[settings.AUTH_MIDDLEWARE.index(DJANGOS)] = OURS


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
