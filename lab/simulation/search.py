"""Try every order of a few requests and responses of one honest browser.

Is its jar ever judged to be a copy? Time goes by in ticks. At any moment a request may leave with the jar as it is
then, with its access token or after that has expired; a request under way may reach the server, a response the browser,
in any order, or either may be lost; none is under way for longer than the longest round trip. States that differ in
nothing but the names of tokens and in ages beyond CONFIRM_AFTER are one, so the search ends, and sees every order
however long it takes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tokens.core.rotation import Refresh, new_jti

from .jars import Access, Answer, Jar, Probe, Verdict
from .rules import Family, Rule
from .states import Cookies, Flight, State, Token, older, plain, tokens

NOW = 1_000_000.0  # any moment; only ages count
LATER = NOW + 10_000

Steps = tuple[str, "Steps"] | None  # what happened, the first thing first


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has seen: complete orders, distinct states, and the shortest way to a false verdict."""

    orders: int
    states: int
    counterexample: list[str] | None


def search(rule: Rule, *, messages: int, ticks: int, round_trip: int, overlap: int = 3) -> Found:
    """Try all orders of `messages` requests, `overlap` of them under way at once.

    CONFIRM_AFTER is `ticks` long, a round trip at most `round_trip`. A request that a redirect sends again is not
    counted.
    """
    seen: dict[State, tuple[int, int, Steps]] = {}
    tick = rule.parameters.confirm_after / ticks

    def explore(state: State) -> tuple[int, int, Steps]:
        """Explore from `state` on.

        Return the number of orders, the length of the shortest bad one (0: none), and its steps.
        """
        if state in seen:
            return seen[state]
        orders, length, steps = 0, 0, None
        for step, following in moves(rule, state, ticks, tick, round_trip, overlap):
            if following is None:
                more, rest_length, rest = 1, 1, None
            else:
                more, rest_length, rest = explore(following)
                rest_length += rest_length > 0
            orders += more
            if rest_length and (not length or rest_length < length):
                length, steps = rest_length, (step, rest)
        seen[state] = orders or 1, length, steps
        return seen[state]

    sys.setrecursionlimit(10_000)
    row = Token(0, ticks, 0)
    orders, length, steps = explore(State(row, Cookies(None, False, row, None), (), messages))
    return Found(orders, len(seen), list(_told(steps, tick)) if length else None)


def moves(
    rule: Rule, state: State, ticks: int, tick: float, round_trip: int, overlap: int
) -> Iterator[tuple[str, State | None]]:
    """Yield all that can happen next; None stands for a false verdict."""
    row, jar, flights, left = state
    if left and len(flights) < overlap:
        for cookies in _shown(jar):
            step = f"a request leaves with {_names(cookies, row)}"
            yield step, plain(state._replace(flights=(*flights, Flight(0, "", cookies)), left=left - 1))
    for place, flight in enumerate(flights):
        rest = (*flights[:place], *flights[place + 1 :])
        kind = "response" if flight.verdict else "request"
        told = f"the {kind} of {round(flight.age * tick)} s ago"
        yield f"{told} is lost", plain(state._replace(flights=rest))
        if flight.verdict:
            yield from _arrivals(state, flight, rest, told)
        else:
            yield _decision(rule, state, flight, rest, tick, told)
    if all(flight.age < round_trip for flight in flights) and (later := older(state, ticks)) != state:
        yield "tick", later
    if not left and not flights and _is_stale(rule, state, tick):
        yield "nothing is under way, and the jar holds a stale token", None


def _decision(
    rule: Rule, state: State, flight: Flight, rest: tuple[Flight, ...], tick: float, told: str
) -> tuple[str, State | None]:
    """Let the server look at a request."""
    known: dict[Refresh, Token] = {}

    def real(token: Token) -> Refresh:
        refresh = Refresh(token.generation, _jti(token.age * tick, token.name))
        known[refresh] = token
        return refresh

    shown = flight.cookies
    family = Family(real(state.row))
    jar = Jar(
        Access(real(shown.access), LATER, shown.new) if shown.access else None,
        real(shown.refresh) if shown.refresh else None,
        Probe(real(shown.probe), LATER) if shown.probe else None,
    )
    answer = rule.answer(family, jar, NOW)
    if answer.verdict in (Verdict.REUSE, Verdict.REFUSED):
        return f"{told} arrives: {answer.verdict.value}", None
    name = 1 + max(token.name for token in tokens(state))
    cookies = _received(answer, known, name)
    arrived = state._replace(row=known[family.row], flights=(*rest, Flight(flight.age, answer.verdict.value, cookies)))
    return f"{told} arrives: {_gets(answer, cookies)}", plain(arrived)


def _arrivals(state: State, flight: Flight, rest: tuple[Flight, ...], told: str) -> Iterator[tuple[str, State | None]]:
    """Yield what the browser does with a response that arrives; a redirect makes it ask again at once."""
    sent, jar = flight.cookies, state.jar
    jar = Cookies(
        sent.access or jar.access, sent.new if sent.access else jar.new, sent.refresh or jar.refresh, sent.probe
    )
    if flight.verdict != Verdict.PROBE.value:
        yield f"{told} arrives: the jar holds {_names(jar, state.row)}", plain(state._replace(jar=jar, flights=rest))
        return
    for cookies in _shown(jar):
        again = Flight(0, "", cookies)
        step = f"{told} arrives: a redirect, followed with {_names(cookies, state.row)}"
        yield step, plain(state._replace(jar=jar, flights=(*rest, again)))


def _shown(jar: Cookies) -> Iterator[Cookies]:
    """Yield what a request may carry: the access token may have expired. A good one without a mark changes nothing."""
    yield jar._replace(access=None, new=False)
    if jar.access and jar.new:
        yield jar


def _is_stale(rule: Rule, state: State, tick: float) -> bool:
    refresh = state.jar.refresh
    assert refresh is not None  # noqa: S101 - every jar here begins with one, and none loses it
    row, shown = (Refresh(token.generation, _jti(token.age * tick, token.name)) for token in (state.row, refresh))
    family, jar = Family(row), Jar(refresh=shown)
    answer = rule.answer(family, jar, NOW)
    return rule.answer(family, jar.taking(answer), NOW).verdict is not Verdict.SIGNED_IN


def _received(answer: Answer, known: dict[Refresh, Token], name: int) -> Cookies:
    def token(refresh: Refresh | None) -> Token | None:
        return None if refresh is None else known.get(refresh) or Token(refresh.generation, 0, name)

    access, probe = answer.access, answer.probe
    return Cookies(
        token(access.refresh) if access else None,
        access.new if access else False,
        token(answer.refresh),
        token(probe.refresh) if probe else None,
    )


@cache
def _jti(age: float, name: int) -> str:
    return new_jti(NOW - age)


def _names(cookies: Cookies, row: Token) -> str:
    refresh = cookies.refresh
    if refresh is None:
        return "no refresh token"
    told = "the confirmed token" if refresh == row else "a newer token" if refresh.generation > 0 else "a stale token"
    return told + (" and its access token" if cookies.access == refresh else "")


def _gets(answer: Answer, cookies: Cookies) -> str:
    if answer.verdict is Verdict.PROBE:
        return "stale, sent back with a probe"
    if cookies.refresh:
        return "a child"
    return "an access token" if cookies.access else "nothing new"


def _told(steps: Steps, tick: float) -> Iterator[str]:
    elapsed = 0.0
    while steps:
        step, steps = steps
        if step == "tick":
            elapsed += tick
        else:
            yield f"{elapsed:3.0f} s  {step}"
