"""Every number that the simulation rests on, with its unit and why it is what it is."""

from __future__ import annotations

from dataclasses import dataclass

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """Spans are in seconds, shares between 0 and 1. Faults are far more frequent here than on a good day."""

    # The tokens, as the site sets them by default.
    access_lifetime: float = 15 * MINUTE
    confirm_after: float = 120 * SECOND
    idle_lifetime: float = 7 * DAY
    probe_lifetime: float = 60 * SECOND
    probes_at_most: int = 20  # of one token; as tokens.models.MAX_PROBES

    # Device binding, as the site sets it, and as Chromium limits it.
    bound_lifetime: float = 10 * MINUTE
    proved_within: float = 120 * SECOND  # of a mark that opens pages that guard the account
    first_mark: float = 10 * SECOND  # of a registration: the first proof after it binds the session
    tried_for: float = 10 * SECOND  # in which a browser that was sent back to prove its key has to return
    challenge_lifetime: float = 15 * MINUTE
    proofs_at_most: int = 6  # registrations and proofs...
    proofs_within: float = 9 * MINUTE  # ...in so long

    # The rules of the field, as their documents set them.
    leeway: float = 30 * SECOND  # Okta takes 0 to 60, Auth0 any number
    reuse_interval: float = 10 * SECOND  # Supabase's default
    grace: float = 60 * SECOND  # the example in Ory's documents; at most 5 minutes

    # A day of a person.
    wakes_at: tuple[float, float] = (7 * HOUR, 10 * HOUR)
    sleeps_at: tuple[float, float] = (21 * HOUR, 24 * HOUR)
    work_median: float = 12 * MINUTE  # a session of work at the site; the tail reaches hours
    work_sigma: float = 1.0
    pause_median: float = 70 * MINUTE  # between two of them
    pause_sigma: float = 1.0
    think_median: float = 30 * SECOND  # between two page loads
    think_sigma: float = 1.1
    burst: tuple[int, int] = (0, 6)  # requests in parallel that a page makes as it loads
    guarded: float = 0.05  # pages that guard the account; only bound browsers meet them
    tabs: tuple[int, int] = (2, 8)  # tabs that a browser opens again at once...
    restores: float = 0.25  # ...at the beginning of so many sessions of work

    # The way to the server and back.
    travel_median: float = 0.05  # one way
    travel_sigma: float = 1.2
    stalls: float = 0.01  # messages that a bad network holds back, one way, for up to `stall`
    stall: float = 15 * SECOND
    lost_requests: float = 0.01
    lost_responses: float = 0.01
    works_median: float = 0.05  # how long the server works on a request
    works_sigma: float = 1.0
    overloads_a_day: float = 1.0  # times when requests queue before the server looks at them...
    overload: float = 10 * MINUTE  # ...for so long...
    queue: float = 60 * SECOND  # ...each for up to this
    late: float = 0.005  # responses that leave the server late...
    lateness: float = 90 * SECOND  # ...by up to this, after the decision

    # Machines.
    lids: float = 0.5  # sessions of work that end by closing the lid, whatever is under way
    lid_in_mid_request: float = 0.3  # of these, right after a page was asked for
    flushes_after: float = 30 * SECOND  # Chromium writes cookies to disk twice a minute
    dies_every: float = 40 * HOUR  # of work: once a week or two, which is often
    dies_asleep: float = 0.01  # closed lids whose battery runs out
    signs_in_within: float = 20 * SECOND  # how long it takes to type a password

    # Thieves.
    thief_returns: float = 10 * MINUTE  # on average, round the clock; half as often after each visit in vain
    patience: tuple[float, float] = (2 * HOUR, 12 * HOUR)  # how long the patient one waits first
    parasite_returns: float = 5 * MINUTE  # likewise
    follows_within: tuple[float, float] = (1 * SECOND, 8 * SECOND)  # the turn-taker, after the victim
    gives_up_after: float = 24 * HOUR  # without a success
    steals_on: float = 1 * DAY  # the copy is made at a moment of the day that begins here
    watched_for: float = 7 * DAY  # after the theft


DEFAULT = Parameters()
