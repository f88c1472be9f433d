from django.contrib.auth import get_user_model
from django.test import override_settings

from tokens.models import admission

User = get_user_model()


class TestAuthHash:
    def test_it_changes_with_the_password_and_is_not_djangos(self, bob):
        before = admission.auth_hash(bob)
        assert before == admission.auth_hash(User.objects.get(pk=bob.pk))
        assert before != bob.get_session_auth_hash() and len(before) == 64
        bob.set_password("another battery staple")
        assert admission.auth_hash(bob) != before

    def test_all_good_ones_begin_with_todays(self, bob, settings):
        before = admission.auth_hash(bob)
        with override_settings(SECRET_KEY="a new secret", SECRET_KEY_FALLBACKS=["unused", settings.SECRET_KEY]):
            good = list(admission.auth_hashes(bob))
            assert (good[0], good[2], len(good)) == (admission.auth_hash(bob), before, 3)
            assert good[0] != before
