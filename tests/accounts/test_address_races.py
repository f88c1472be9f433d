"""Links and codes that are used at the same moment, by several connections."""

from collections import Counter

import pytest
from django.core import mail

from accounts import addresses
from accounts.models import AddressProof, SecurityEvent, User
from accounts.models.address import CODE_TRIES
from tests.accounts.letters import link_in
from tests.tokens.racing import together

pytestmark = pytest.mark.django_db(transaction=True)

Kind = SecurityEvent.Kind
NEW = "bob@new.example"


@pytest.fixture
def here(browser_of, bob):
    return browser_of(bob)


def token_in(message):
    return link_in(message, "accounts/email").strip("/").rpartition("/")[2]


class TestAtOnce:
    def test_a_link_used_twice_does_its_work_once(self, here, browser_of, bob):
        addresses.ask(here, bob, NEW)
        token, key = token_in(mail.outbox[-1]), AddressProof.objects.get().pk

        def use():
            try:
                return addresses.confirm_by_link(browser_of(), key, token)
            except addresses.Refused:
                return None

        assert Counter(map(bool, together([use] * 4))) == {True: 1, False: 3}
        assert SecurityEvent.objects.filter(kind=Kind.ADDRESS_CHANGED).count() == 1
        assert len(mail.outbox) == 2

    def test_two_people_who_want_one_address_do_not_both_get_it(self, browser_of, alice, bob):
        found = []
        for person in (alice, bob):
            addresses.ask(browser_of(person), person, NEW)
            found.append((AddressProof.objects.get(user=person).pk, token_in(mail.outbox[-1])))

        def use(key, token):
            try:
                return addresses.confirm_by_link(browser_of(), key, token)
            except addresses.Taken:
                return None

        got = together([lambda one=one: use(*one) for one in found])
        assert Counter(map(bool, got)) == {True: 1, False: 1}
        assert User.objects.filter(email=NEW).count() == 1

    def test_a_way_back_used_twice_does_its_work_once(self, here, browser_of, bob):
        addresses.ask(here, bob, NEW)
        addresses.confirm_by_link(here, AddressProof.objects.get().pk, token_in(mail.outbox[-1]))
        key, token = AddressProof.objects.get().pk, token_in(mail.outbox[-1])

        def use():
            try:
                return addresses.undo(browser_of(), key, token)
            except addresses.Refused:
                return None

        assert Counter(map(bool, together([use] * 3))) == {True: 1, False: 2}
        assert SecurityEvent.objects.filter(kind=Kind.ADDRESS_RESTORED).count() == 1

    def test_of_many_tries_at_once_five_count_and_no_more(self, here, bob):
        addresses.ask(here, bob, NEW)
        proofs = AddressProof.objects.all()
        taken = together([proofs.take_try] * 12)
        assert sum(taken) == CODE_TRIES
        assert AddressProof.objects.get().tries == CODE_TRIES
