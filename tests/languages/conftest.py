from tests.accounts.conftest import _fresh_gates  # noqa: F401  (a fixture)
