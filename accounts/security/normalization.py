"""Bring what people type into one normal form. Whatever stores, finds, counts or compares it calls these functions.

Keyboards, systems and programs write the same text as different characters; databases fold case each in its own way.
"""

import unicodedata

import regex

MAXIMUM_LOGIN_LENGTH = 254  # of an email; user names are shorter

_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
# What turns the words around it, or can't be seen. Between letters or signs, Persian and emoji need the two joiners.
_INVISIBLE = regex.compile(
    r"[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}--[\0\u200c\u200d\ufe0f]]"
    r"|(?<![\p{L}\p{M}\p{S}])[\u200c\u200d]|[\u200c\u200d](?![\p{L}\p{M}\p{S}])",
    regex.VERSION1,
)
_BETWEEN_DIGITS = regex.compile(r"[\s\p{Dash}\p{Default_Ignorable_Code_Point}\p{Cf}]+")


def username_key(name: str) -> str:
    """Return the text that all spellings of a user name share: NFKC_Casefold (Unicode, D147), as Python knows it.

    A final sigma equals any other, ß equals ss, and it makes no difference how an accent is encoded.
    """
    folded = unicodedata.normalize("NFD", name).casefold()
    folded = unicodedata.normalize("NFKC", folded).casefold()
    return _IGNORABLE.sub("", unicodedata.normalize("NFKC", folded))


def normalize_email(email: str) -> str:
    """Return `email` with its domain as mail servers write it, so that one mailbox has one spelling.

    “bob@Bücher.example” becomes “bob@xn--bcher-kva.example”. Domains are mapped by UTS 46 and encoded by IDNA 2008, as
    browsers and mail servers do today: Python's own codec follows IDNA 2003, for which “faß” is “fass”, which is
    another domain. One that cannot be encoded stays as it is.
    """
    mailbox, at, host = email.rpartition("@")
    if not at or len(email) > MAXIMUM_LOGIN_LENGTH:
        return email
    if host.isascii():
        return f"{mailbox}@{host.lower()}"
    import idna  # its tables have every sign of Unicode, and hardly any host needs them

    try:
        return f"{mailbox}@{idna.encode(host, uts46=True).decode()}"
    except UnicodeError:
        return email


def normalize_login(login: str) -> str:
    """Return the text by which to look up what was typed to sign in: an email, or the key of a user name.

    What is longer than any of them is nobody's, and nothing works on it.
    """
    if len(login) > MAXIMUM_LOGIN_LENGTH:
        return ""
    login = unicodedata.normalize("NFKC", login).strip()
    return normalize_email(login) if "@" in login else username_key(login)


def normalize_name(name: str) -> str:
    """Return a name of a person or a session without invisible characters, and with single spaces."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", name)).split())


def normalize_password(password: str) -> str:
    """Return `password` in NFC, one of the two forms that NIST SP 800-63B-4 §3.1.1.2 names: nothing visible changes."""
    return unicodedata.normalize("NFC", password)


def normalize_code(code: str) -> str:
    """Return a code with its digits as 0 to 9, and without the signs that people and programs put between them."""
    return "".join(str(unicodedata.decimal(sign, sign)) for sign in _BETWEEN_DIGITS.sub("", code))
