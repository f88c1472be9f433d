"""What can be wrong with a token, as facts. The log learns the exact cause; the browser learns nothing."""


class TokenError(Exception):
    """A token, or the session behind it, is not accepted."""


class InvalidToken(TokenError):
    """The token was not issued by this site for this purpose. The message is the exact cause."""


class InvalidChallenge(InvalidToken):
    """What a device has signed is not what this site asked for, of that session and recently."""


class ExpiredToken(TokenError):
    """The token is authentic, and its time is up."""


class UnprovenToken(TokenError):
    """The token is authentic, and of the bound session `sid`, whose key this browser has not proven recently."""

    def __init__(self, sid: str) -> None:
        super().__init__(f"A token of the bound session {sid} came without a young mark.")
        self.sid = sid


class RevokedToken(TokenError):
    """The token is authentic, but the row `sid` is not live.

    `reason` is a `RefreshToken.Reason`, or None if there is no such row.
    """

    def __init__(self, sid: str, reason: str | None = None) -> None:
        super().__init__(f"The session has ended: {reason or 'its row does not exist'}.")
        self.sid = sid
        self.reason = reason


class ReusedToken(RevokedToken):
    """A refresh token was used after a newer one had been confirmed, by a client that has nothing newer: a copy."""


class SignInHeld(RevokedToken):
    """A receiver of `session_starting` wants more of the user before a session begins. There is no row."""

    def __init__(self) -> None:
        super().__init__("")


class InvalidKeys(Exception):
    """A key set must not be used. The message says what is wrong and contains no key."""


class RevocationListUnavailable(Exception):
    """It is unknown at the moment which sessions have ended. Answered with a 503, never with "signed out"."""
