"""Browsers, thieves, people, administrators, time, a restored database: in any order, on the real site."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.stateful import changes
from tests.stateful.browsers import Browser
from tests.stateful.world import NOBODY, PAGES, World
from tokens import cookies, signals

PAGE = st.sampled_from(PAGES)
SPAN = st.sampled_from([0, 0, 1, 35, 125, 300, 600, 16 * 60, 2 * 3600, 20 * 3600, 5 * 24 * 3600])  # seconds

IN_A_BROWSER = [
    changes.log_out,
    changes.change_password,
    changes.end_others,
    changes.end_in_another_process,
    changes.sign_in_again,
]
TO_AN_ACCOUNT = [
    changes.end_all,
    changes.reset_password,
    changes.deactivate,
    changes.reactivate,
    changes.rename,
    changes.delete,
    changes.reset_password_behind,
    changes.deactivate_behind,
]
TO_THE_SITE = [changes.back_up, changes.restore, changes.rotate_keys, changes.another_process]


def any_of(name):
    """One of the things that the world has at the moment."""
    return st.runner().flatmap(lambda machine: st.sampled_from(getattr(machine.world, name)))


def there_are(name):
    return precondition(lambda machine: getattr(machine.world, name))


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(transaction.atomic())
        self.stack.callback(transaction.set_rollback, True)
        self.world = World()
        signals.reuse_found.connect(self.world.reuse_found)
        self.stack.callback(signals.reuse_found.disconnect, self.world.reuse_found)

    def teardown(self):
        self.stack.close()

    @invariant()
    def rows_are_as_they_should(self):
        self.world.check_rows()

    # Browsers, honest ones and thieves'.

    @initialize(lag=st.sampled_from([0, 3600]))
    def begin(self, lag):
        self.stack.enter_context(override_settings(TOKENS_REVOCATION_LAG=lag))
        self.world.hear()
        one, other = self.world.people
        for browser, person in zip(self.world.browsers, [one, one, other], strict=True):
            changes.sign_in(self.world, browser, person, kept=True)

    @rule(browser=any_of("browsers"), page=PAGE, seconds=SPAN, person=any_of("people"), kept=st.booleans())
    def visit(self, browser, page, seconds, person, kept):
        """Whoever is not known any more signs in again, or the world would soon be empty."""
        self.world.wait(seconds)
        name = self.world.visit(browser, page)
        if name == NOBODY and not browser.thief:
            changes.sign_in(self.world, browser, person, kept)

    @rule(browser=any_of("honest"), page=PAGE, seconds=SPAN, arrivals=st.lists(st.integers(0, 2), unique=True))
    def open_tabs(self, browser, page, seconds, arrivals):
        """Three at once. Not every response arrives, nor in order; and each that does is followed by a click."""
        self.world.wait(seconds)
        tabs = [self.world.send(browser, page) for _ in range(3)]
        for tab in tabs:
            self.world.answer(tab)
        for number in arrivals:
            self.world.arrive(tabs[number])
            self.world.visit(browser, page)

    @rule(browser=any_of("browsers"), page=PAGE, seconds=SPAN)
    def send(self, browser, page, seconds):
        """A request that takes its time, while the browser goes on."""
        self.world.wait(seconds)
        self.world.messages.append(self.world.send(browser, page))
        self.world.visit(browser, page)

    @there_are("messages")
    @rule(message=any_of("messages"), seconds=SPAN, at_once=st.booleans())
    def go_on(self, message, seconds, at_once):
        """A request reaches the site, or its response the browser; or one after the other, at once."""
        self.world.wait(seconds)
        self.world.go_on(message)
        if at_once and message in self.world.messages:
            self.world.go_on(message)

    @rule(browser=any_of("honest"), page=PAGE, dies=st.booleans())
    def start_again(self, browser, page, dies):
        self.world.lose_messages(browser)
        if dies:
            browser.crash(self.world.now)
        else:
            browser.restart()
        self.world.visit(browser, page)

    @precondition(lambda machine: len(machine.world.browsers) < 5)
    @rule(
        browser=any_of("browsers"),
        declines=st.booleans(),
        without=st.sampled_from(["", cookies.name_of("access"), cookies.name_of("refresh")]),
    )
    def steal(self, browser, declines, without):
        if browser.jar.sids:
            self.world.copied |= browser.jar.sids
            self.world.browsers.append(Browser(thief=True, declines=declines, jar=browser.jar.copy(without)))

    @rule(
        change=st.one_of(
            st.tuples(st.sampled_from(IN_A_BROWSER), any_of("browsers")),
            st.tuples(st.sampled_from(TO_AN_ACCOUNT), any_of("people")),
            st.tuples(st.sampled_from(TO_THE_SITE)),
        ),
        page=st.none() | PAGE,
    )
    def change(self, change, page):
        """One rule for many, or nobody would stay signed in for long. Then, mostly, everybody looks what they see."""
        do, *whom = change
        do(self.world, *whom)
        if page:
            for browser in self.world.browsers:
                self.world.visit(browser, page)


@pytest.mark.timeout(1200)  # a failure takes minutes to shrink
@pytest.mark.urls("tests.tokens.urls")
@pytest.mark.parametrize("examples", [12, pytest.param(100, marks=pytest.mark.slow)])
def test_whatever_happens_nobody_is_signed_out_by_mistake_and_nobody_stays_who_should_not(db, examples):
    profile = settings(max_examples=examples, stateful_step_count=40, deadline=None, database=None, print_blob=True)
    run_state_machine_as_test(Machine, settings=profile)
