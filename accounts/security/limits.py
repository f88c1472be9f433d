"""Define how often a visitor may try what can be guessed or what is expensive; `throttle` enforces it.

docs/reference/accounts.md shows the figures.
"""

from dataclasses import dataclass, replace

from accounts.security.rate_limit import Rate

HOUR = 60 * 60
DAY = 24 * HOUR
# Of the capacity of hashers.queue; the rest is left to users who are signed in or hold a link from a mail.
STRANGERS_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Limit:
    """Define which attempts are counted together, each group at its own rate; None is not counted."""

    name: str
    visitor_and_account: Rate | None = None  # attempts of one visitor at one account
    visitor: Rate | None = None  # attempts of one visitor at any account
    account: Rate | None = None  # attempts of any visitor at one account
    repeats: Rate | None = None  # attempts of one visitor that repeat a wrong one; None: they count like any other
    site: Rate | None = None  # attempts of all visitors in browsers that the account does not know
    by_mailbox: bool = False  # whether an account is counted by the mailbox that gets the mail
    hashing: float = 0.0  # the share of hashers.queue that these attempts may fill; 0 if nothing is hashed
    by_factor: bool = False  # whether only a browser counts as known in which a second factor was shown


# A user who mistypes needs a few attempts, and one with several passwords a few more. NIST SP 800-63B §3.2.2 asks for
# resistance after at most a hundred consecutive failures. An office behind one IP address shares a bucket and makes
# mistakes, too, so that bucket opens often.
SIGN_IN = Limit(
    "sign-in",
    visitor_and_account=Rate(free=10, first=10, longest=15 * 60, window=DAY),
    visitor=Rate(free=100, first=1, longest=10, window=HOUR),
    account=Rate(free=100, first=1, longest=60, window=DAY),
    # An app that goes on with the old password guesses nothing, but each time costs a hash.
    repeats=Rate(free=100, first=1, longest=10, window=HOUR),
    hashing=STRANGERS_SHARE,
)

# Counted when the password was right: each time costs a row, an event and perhaps a mail, and in the end evicts another
# session. One visitor, such as a script that keeps no tokens, never fills the bucket that the account's owner shares.
SIGNED_IN = Limit(
    "right password",
    visitor_and_account=Rate(free=20, first=10, longest=10 * 60, window=HOUR),
    account=Rate(free=40, first=10, longest=60, window=HOUR),
)

# Each attempt costs a hash, a row and a mail. A school class that signs up together is one visitor.
SIGN_UP = Limit(
    "sign-up",
    by_mailbox=True,
    site=Rate(free=1_000, first=1, longest=10, window=HOUR),
    visitor=Rate(free=50, first=5, longest=5 * 60, window=HOUR),
    account=Rate(free=5, first=60, longest=10 * 60, window=DAY),
    hashing=STRANGERS_SHARE,
)

# Each attempt sends a mail. A user whom a stranger's attempts block has received the mail that the stranger asked for.
# That is why the mailbox does not count: by asking for tagged emails that have no account, a stranger would keep its
# owner from the way back, and no mail would go out.
RESET = Limit(
    "reset",
    site=Rate(free=1_000, first=1, longest=2, window=HOUR),
    visitor_and_account=Rate(free=5, first=60, longest=HOUR, window=DAY),
    visitor=Rate(free=30, first=10, longest=10 * 60, window=HOUR),
    account=Rate(free=10, first=60, longest=10 * 60, window=DAY),
)

# The mail that verifies an email: anybody can enter a stranger's email as their own.
RESEND = replace(
    RESET,
    name="resend",
    by_mailbox=True,
    visitor_and_account=Rate(free=3, first=60, longest=HOUR, window=DAY),
)

# An attacker here has the session already, such as a thief with copied cookies or a colleague at an unlocked screen.
REAUTHENTICATION = Limit(
    "reauthentication",
    visitor_and_account=Rate(free=5, first=10, longest=15 * 60, window=DAY),
    account=Rate(free=20, first=1, longest=60, window=DAY),
    hashing=1.0,
)

# Whoever tries codes here has the password. A bucket of its own: who guesses passwords spends none of these tries.
SECOND_FACTOR = Limit(
    "second factor",
    visitor_and_account=Rate(free=10, first=10, longest=15 * 60, window=DAY),
    account=Rate(free=20, first=60, longest=10 * 60, window=DAY),
    by_factor=True,
)
RECOVERY_CODE = replace(SECOND_FACTOR, name="recovery code", hashing=STRANGERS_SHARE)

# Each sends a mail to the account's own confirmed email; whoever asks has the password.
FACTOR_REMOVAL = Limit("factor removal", account=Rate(free=5, first=60, longest=HOUR, window=DAY))

# Nobody guesses a signature, so no account is counted: strangers could block its owner. Each attempt costs a query and
# about a millisecond.
PASSKEY = Limit("passkey", visitor=Rate(free=100, first=1, longest=10, window=HOUR))
PASSKEY_SIGNED_IN = replace(SIGNED_IN, name="right passkey")

# Each visit to a provider costs a row and requests to it; nobody guesses an answer.
PROVIDER = Limit("provider", visitor=Rate(free=100, first=1, longest=10, window=HOUR))
PROVIDER_SIGNED_IN = replace(SIGNED_IN, name="right provider")
PROVIDER_SIGN_UP = replace(SIGN_UP, hashing=0.0)  # counted with the others, as a mailbox gets the mails of both

# Each factor that is added costs a row, an event and mails, and new recovery codes ten hashes.
ENROLMENT = Limit("enrolment", account=Rate(free=20, first=60, longest=HOUR, window=DAY), hashing=1.0)

# Only the reader of a mail gets as far as this, so nothing is counted; but it costs a hash.
MAIL_LINK = Limit("mail link", hashing=1.0)

# One guess in a million is right, and each code allows only a few. This limits those who request many codes.
CODE = Limit(
    "code",
    visitor_and_account=Rate(free=5, first=60, longest=HOUR, window=DAY),
    account=Rate(free=20, first=60, longest=10 * 60, window=DAY),
)

# The response reveals whether a user name is taken. A real user looks for a free one a few times in their life.
USERNAME = Limit("username", account=Rate(free=10, first=60, longest=HOUR, window=DAY))

# Each writes to every email of the account: whoever knows the password could bury the mails that matter. A user who has
# to wait for that can choose a new password by mail.
PASSWORD_CHANGE = Limit("password change", account=Rate(free=10, first=60, longest=HOUR, window=DAY))
