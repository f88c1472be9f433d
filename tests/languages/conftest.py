from tests.accounts.conftest import _fresh_buckets  # noqa: F401  (a fixture)
