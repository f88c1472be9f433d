"""What `tokens` tells the site. Receivers do side work (mail, history); nothing here depends on them.

`session_started(request, row)`: `login()` made a row.
`session_ended(request, row)`: `logout()`, a new sign-in in the same browser, or an administrator: see `row.reason`.
`sessions_revoked(user, reason, count)`: a change of the user ended sessions.
`probe_sent(request, row)`: a stale token is probed for the first time. `probe_answered(request, sid)`: it came late.
`reuse_found(request, row, count)`: a refresh token was used that something newer had replaced. Sent once,
however many requests saw it, after the revocation has committed; `count` sessions ended.

And for those who count:
`branch_taken(branch, sid, reason)`: a branch of the rule (see `branches`; its sender is `Branch`).
`rows_revoked(reason, count)`: sessions ended, whoever ended them; inside the transaction that ends them.
`token_verified(kind, seconds)`: a token that was not known yet, access or refresh, was found authentic.
`list_read(lag)`: what has been revoked was asked for. `lag` is 0, or if there was no answer the seconds since the last
one. Its sender is the list; one that asks with every request tells changes alone.
"""

from django.dispatch import Signal

session_started = Signal()
session_ended = Signal()
sessions_revoked = Signal()
reuse_found = Signal()
probe_sent = Signal()
probe_answered = Signal()
branch_taken = Signal()
rows_revoked = Signal()
token_verified = Signal(use_caching=True)
list_read = Signal()
