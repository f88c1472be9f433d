"""What `tokens` tells the site. Receivers do side work (mail, history); nothing here depends on them.

`session_starting(row)`: a row is about to be saved, in the transaction that has locked its user; a receiver that raises
SignInHeld prevents it, however the user signs in.
`session_started(request, row)`: `login()` made a row.
`session_ended(request, row)`: `logout()`, a new sign-in in the same browser, or an administrator: see `row.reason`.
`sessions_revoked(user, reason, count)`: a change of the user ended sessions.
These two are sent inside the transaction: what a receiver writes commits with the end, and one that raises undoes it.
`all_ending(user)`: `endsessions` is about to end every session of this user, or of everybody (None).
`probe_sent(request, row, at)`: a stale token was used for the first time; `at`, a datetime, names this time.
`probe_answered(request, sid, at)`: the same browser had something newer; that request was only late.
`reuse_found(request, row, count)`: a refresh token was used that something newer had replaced. Sent once, however many
requests saw it, after the revocation has committed; `count` sessions ended.
`device_unproven(request, sid)`: a token of a bound session came from a browser that was asked to prove its device's key
and did not: a copy of the cookies, or a browser that has lost the key. Nothing has ended. Sent each time.

For metrics:
`token_event(event, sid, reason)`: an outcome of the rule (see `events`; the sender is `TokenEvent`).
`rows_revoked(reason, count)`: sessions ended, whoever ended them; sent inside the transaction that ends them.
`token_verified(kind, seconds)`: an access or refresh token that was not remembered has been found authentic.
`list_read(lag)`: the revocation list was read. `lag` is 0, or without an answer the seconds since the last one. The
sender is the list; one that is asked on every request sends changes only.
"""

from django.dispatch import Signal

session_starting = Signal()
session_started = Signal()
session_ended = Signal()
sessions_revoked = Signal()
all_ending = Signal()
reuse_found = Signal()
device_unproven = Signal()
probe_sent = Signal()
probe_answered = Signal()
token_event = Signal()
rows_revoked = Signal()
token_verified = Signal(use_caching=True)
list_read = Signal()
