"""Make and check recovery codes, for whoever has lost every other factor.

A code has 80 bits, so it may be kept on paper for years (NIST SP 800-63B-4 §3.1.2), and is hashed like a password
(ASVS 6.5.2). Its first two letters are stored as they are: they tell which of the ten hashes to compare, so a try costs
one hash and not ten.
"""

from base64 import b32encode
from collections.abc import Callable
from secrets import choice, token_bytes
from string import ascii_lowercase

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from accounts.models import User
from accounts.models.factors import RecoveryCode
from accounts.security.normalization import normalize_code

COUNT = 10
NOTICE_AT = 3  # left: time for new ones
_LENGTH = 18  # two letters of head, and 80 bits


def renew(user: User, beside: Callable[[], None] = lambda: None) -> list[str]:
    """Replace the codes of `user` and return the new ones, which nobody can read afterwards.

    `beside` is called in the same transaction, before which they are hashed: that takes too long to hold a lock.
    """
    heads: set[str] = set()
    while len(heads) < COUNT:
        heads.add(choice(ascii_lowercase) + choice(ascii_lowercase))
    codes = [head + b32encode(token_bytes(10)).decode().lower() for head in sorted(heads)]
    rows = [RecoveryCode(user=user, head=code[:2], code_hash=make_password(code)) for code in codes]
    with transaction.atomic():
        beside()
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(rows)
    return [written(code) for code in codes]


def spend(user: User, given: str) -> bool:
    """Use up a code of `user`, in any spelling; return whether it was right and unused.

    A hash is computed whether or not there is such a code, so the time reveals nothing.
    """
    code = _normalized(given)
    row = RecoveryCode.objects.unused().filter(user=user, head=code[:2]).first()
    if row is None:
        make_password(code)
        return False
    return check_password(code, row.code_hash) and RecoveryCode.objects.filter(pk=row.pk).spend()


def looks_like(given: str) -> bool:
    """Return whether somebody may have meant a recovery code, rather than one of an app."""
    code = _normalized(given)
    return len(code) == _LENGTH and code[:2].isalpha()


def left(user: User) -> int:
    """Return how many codes `user` has left."""
    return RecoveryCode.objects.unused().filter(user=user).count()


def written(code: str) -> str:
    """Return `code` as people write it down: ab-cdef-ghij-klmn-opqr."""
    return "-".join((code[:2], *(code[start : start + 4] for start in range(2, _LENGTH, 4))))


def _normalized(given: str) -> str:
    """Return a code as it was made. Base32 has no 0, 1 and 8, which stand for the letters that they look like."""
    code = normalize_code(given[:100]).lower()
    return code[:2] + code[2:].translate(str.maketrans("018", "olb"))
