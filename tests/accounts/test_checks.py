"""What `manage.py check --deploy` says of this app."""

import pytest
from django.core.checks import run_checks

pytestmark = pytest.mark.once

BACKENDS = "django.core.cache.backends"


def found(settings, backend, deploy=True):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.CACHES = {"default": {"BACKEND": f"{BACKENDS}.{backend}", "LOCATION": "anywhere"}}
    return [message.id for message in run_checks(include_deployment_checks=deploy) if message.id.startswith("accounts")]


class TestCheckCache:
    @pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache", "db.DatabaseCache"])
    def test_w001_a_cache_in_which_processes_do_not_count_together(self, settings, backend):
        assert found(settings, backend) == ["accounts.W001"]

    def test_one_in_which_they_do_is_fine(self, settings):
        assert found(settings, "redis.RedisCache") == []

    def test_at_home_anything_is(self, settings):
        assert found(settings, "locmem.LocMemCache", deploy=False) == []
