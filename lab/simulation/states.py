"""What a browser, the server and the way between them can be in, written in one way only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Token(NamedTuple):
    """A refresh token: its generation, counted from the row's, its age in ticks, and a name among its equals."""

    generation: int
    age: int
    name: int


class Cookies(NamedTuple):
    """A jar, or the cookies of a response. `access` is the token that an access token was born with."""

    access: Token | None
    new: bool
    refresh: Token | None
    probe: Token | None


class Flight(NamedTuple):
    """A request under way to the server (`verdict` is "") or its response under way to the browser."""

    age: int
    verdict: str
    cookies: Cookies


class State(NamedTuple):
    row: Token
    jar: Cookies
    flights: tuple[Flight, ...]
    left: int  # requests that the browser has still to make


def older(state: State, ticks: int) -> State:
    """Return the state a tick later; nobody cares for ages beyond `ticks`."""
    aged = _renamed(state, {token: token._replace(age=min(token.age + 1, ticks)) for token in tokens(state)})
    return plain(aged._replace(flights=tuple(flight._replace(age=flight.age + 1) for flight in aged.flights)))


def plain(state: State) -> State:
    """Return the same state in the one way in which it is written.

    Flights are in order, tokens named as they are met, generations counted from the row's.
    """
    state = state._replace(flights=tuple(sorted(state.flights, key=repr)))
    base, names = state.row.generation, dict.fromkeys(tokens(state))
    renamed = {token: Token(token.generation - base, token.age, name) for name, token in enumerate(names)}
    return _renamed(state, renamed)


def tokens(state: State) -> Iterator[Token]:
    """Yield all tokens that anybody holds, some of them more than once; the row's first."""
    yield state.row
    for cookies in (state.jar, *(flight.cookies for flight in state.flights)):
        for token in (cookies.access, cookies.refresh, cookies.probe):
            if token is not None:
                yield token


def _renamed(state: State, names: dict[Token, Token]) -> State:
    def renamed(cookies: Cookies) -> Cookies:
        access, new, refresh, probe = cookies
        return Cookies(
            names[access] if access else None, new, names[refresh] if refresh else None, names[probe] if probe else None
        )

    flights = tuple(Flight(age, verdict, renamed(cookies)) for age, verdict, cookies in state.flights)
    return State(names[state.row], renamed(state.jar), flights, state.left)
