"""The fixtures of tests/tokens serve what is optional as well."""

from tests.tokens.conftest import _reads_name_their_database, name_on, signed_in, status_list

__all__ = ["_reads_name_their_database", "name_on", "signed_in", "status_list"]
