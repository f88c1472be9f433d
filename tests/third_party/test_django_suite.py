"""Django's own tests of `django.contrib.auth` pass with `tokens` in place, but for details of its session."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.third_party import pythons

pytestmark = [pytest.mark.once, pytest.mark.slow]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

NO_MIDDLEWARE = "login() on a request that has passed no middleware is refused with a sentence"
NOTHING_STORED = "there is no session key to change: of a sign-in Django's session stores nothing"
OTHER_MODEL = "it puts another model in place of AUTH_USER_MODEL, which the table of sessions refers to"
DIFFERENT = {
    "test_auth_backends.UUIDUserTests.test_alogin": OTHER_MODEL,
    "test_auth_backends.UUIDUserTests.test_login": OTHER_MODEL,
    "test_basic.TestGetUser.test_aget_user_fallback_secret": NOTHING_STORED,
    "test_basic.TestGetUser.test_get_user_fallback_secret": NOTHING_STORED,
    "test_context_processors.AuthContextProcessorTests.test_session_is_accessed": NOTHING_STORED,
    "test_login.TestLogin.test_inactive_user": NO_MIDDLEWARE,
    "test_login.TestLogin.test_user_login": NO_MIDDLEWARE,
    "test_login.TestLogin.test_without_user_authenticated_request": NO_MIDDLEWARE,
    "test_middleware.TestAsyncLoginLogoutAfterSyncMiddleware.test_user_after_alogin": NO_MIDDLEWARE,
    "test_middleware.TestAuthenticationMiddleware.test_auser_after_alogin": NO_MIDDLEWARE,
    "test_middleware.TestAuthenticationMiddleware.test_auser_after_login": NO_MIDDLEWARE,
    "test_middleware.TestAuthenticationMiddleware.test_changed_password_invalidates_session": NOTHING_STORED,
    "test_middleware.TestLoginRequiredMiddleware.test_protected_view_logged_in_performance": "it counts queries: fewer",
    "test_signals.SignalTestCase.test_update_last_login": NO_MIDDLEWARE,
    "test_views.LoginTest.test_login_csrf_rotate": NO_MIDDLEWARE,
    "test_views.LoginTest.test_session_key_flushed_on_login_after_password_change": NOTHING_STORED,
    "test_views.LogoutThenLoginTests.test_default_logout_then_login": NO_MIDDLEWARE,
    "test_views.LogoutThenLoginTests.test_logout_then_login_with_custom_login": NO_MIDDLEWARE,
    "test_views.UUIDUserTests.test_admin_password_change": OTHER_MODEL,
}
HASHERS = "test_hashers"  # they know no session, and hash for longer than all others take
TIMED = "ModelBackendTest.test_aauthentication_timing"  # they compare clocks, which no busy machine stands


def run(*command: object, cwd: Path) -> str:
    env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "PIP_CONFIG_FILE") if name in os.environ}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize("python", [python for python in pythons.found() if python.django[:3] != "6.0"], ids=str)
def test_they_pass_but_for_what_is_written_down_here(python, tmp_path):
    program, pin = python.environment(), f"Django=={python.django}"
    run(program, "-m", "pip", "download", "-q", "--no-binary", "Django", "--no-deps", pin, cwd=tmp_path)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as packed:
        packed.extractall(tmp_path, filter="data")
    source = next(tmp_path.glob("django-*/"))
    labels = [f"auth_tests.{file.stem}" for file in source.glob("tests/auth_tests/test_*.py") if file.stem != HASHERS]
    said = run(program, HERE / "django_suite.py", source, ROOT, *labels, cwd=tmp_path).splitlines()
    [tests] = [int(line.split()[0]) for line in said if line.endswith(" tests")]
    assert tests > 600
    failed = {line.removeprefix("auth_tests.") for line in said if line.startswith("auth_tests.")}
    assert {name for name in failed if TIMED not in name} <= DIFFERENT.keys()
