"""What can be wrong with a token, as facts. The log learns the exact cause; the browser learns nothing."""


class TokenError(Exception):
    """Something about a token that keeps it from being taken."""


class InvalidToken(TokenError):
    """Not a token of this site, of this kind, made with a key of this ring. Its message is the exact cause."""


class ExpiredToken(TokenError):
    """Ours, and over."""


class RevokedToken(TokenError):
    """Ours, but its row `sid` is not live. `reason` is a `RefreshToken.Reason`, or None if the row is gone."""

    def __init__(self, sid: str, reason: str | None = None) -> None:
        super().__init__(f"The sign-in is over: {reason or 'its row is gone'}.")
        self.sid = sid
        self.reason = reason


class ReusedToken(RevokedToken):
    """A refresh token that something newer had replaced, from a browser that has nothing newer: a copy is about."""


class StaleToken(TokenError):
    """A refresh token `jti` of the row `sid` that something newer has replaced. Its browser has to be asked again."""

    def __init__(self, sid: str, jti: str) -> None:
        super().__init__("Something newer has replaced the refresh token.")
        self.sid = sid
        self.jti = jti


class InvalidKeys(TokenError):
    """A set of keys that must not be used. Its message says what is wrong, and shows no key."""


class RevocationListUnavailable(TokenError):
    """Nobody can say at the moment whether a sign-in has ended. Answered with a 503, never with "signed out"."""
