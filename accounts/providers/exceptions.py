"""Say why a visit to a provider has led to nothing."""


class ProviderError(Exception):
    """Report what went wrong, for the log. The visitor reads `sentence`, or that it didn't work."""

    def __init__(self, cause: str, sentence: str = "") -> None:
        super().__init__(cause)
        self.sentence = sentence


class OwnerMustSignIn(ProviderError):
    """Report that the email belongs to an account, whose owner can add the provider once they have signed in."""
