"""What `tokens` tells the site. Receivers do side work (mail, history); nothing here depends on them.

`session_started(request, row)`: `login()` made a row.
`session_ended(request, row)`: `logout()`, a new sign-in in the same browser, or an administrator: see `row.reason`.
`sessions_revoked(user, reason, count)`: a change of the user ended sessions.
`probe_sent(request, row)`: a stale token is probed for the first time. `probe_answered(request, sid)`: it came late.
`branch_taken(branch, sid, reason)`: a branch of the rule, to be counted (see `branches`; its sender is `Branch`).
`reuse_found(request, row, count)`: a refresh token was used that something newer had replaced. Sent once,
however many requests saw it, after the revocation has committed; `count` sessions ended.
"""

from django.dispatch import Signal

session_started = Signal()
session_ended = Signal()
sessions_revoked = Signal()
reuse_found = Signal()
probe_sent = Signal()
probe_answered = Signal()
branch_taken = Signal()
