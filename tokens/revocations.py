"""Which revocation list this site keeps."""

from __future__ import annotations

from .conf import conf
from .revocation import RevocationList, revocation_list
from .shared_revocation import SharedRevocationList

shared_list = SharedRevocationList()


def revocations() -> RevocationList | SharedRevocationList:
    """The list in the shared cache if TOKENS_REVOCATION_CACHE names one, else that of this process."""
    return shared_list if conf.revocation_cache else revocation_list
