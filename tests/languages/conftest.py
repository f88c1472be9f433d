from tests.accounts.conftest import _fresh_gates, committing  # noqa: F401  (fixtures)
