"""The fixtures of tests/tokens serve what is optional as well."""

from tests.tokens.conftest import name_on, signed_in, status_list

__all__ = ["name_on", "signed_in", "status_list"]
