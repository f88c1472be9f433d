"""What a sign-up finds that made no account: what it would have found otherwise."""

import re

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.address_tokens import code
from accounts.models import AddressProof, User

VERIFY = "/accounts/email/verify/"


def page(response):
    return response.content.decode()


class TestWhatASignUpFinds:
    """Free, name taken, address taken: whoever signed up is told the same, whatever they do on the page."""

    TAKEN = ({}, {"username": "Bob"}, {"email": "bob@example.org"})

    def answers(self, browser, address, **fields):
        response = browser.post(VERIFY, fields) if fields else browser.get(VERIFY)
        text = re.sub(r'value="\w+"', "", page(response)).replace(address, "ADDRESS")
        cookies = {name: len(morsel.value) for name, morsel in response.cookies.items() if "session" in name}
        return response.status_code, response.headers.get("Location"), text, cookies.keys()

    @pytest.mark.parametrize("fields", [{}, {"code": "123456"}, {"code": ""}, {"again": ""}], ids=str)
    def test_is_the_same(self, bob, sign_up, fields, committing):
        found = set()
        for taken in self.TAKEN:
            browser, _ = sign_up(**taken)
            with committing():
                status, location, text, cookies = self.answers(browser, taken.get("email", "ada@example.org"), **fields)
            found.add((status, location, text, tuple(cookies)))
            User.objects.filter(username="ada").delete()
        assert len(found) == 1

    @pytest.mark.parametrize("fields", [{}, {"code": "123456"}, {"again": ""}], ids=str)
    def test_costs_the_same_queries(self, bob, sign_up, fields):
        counts = set()
        for taken in self.TAKEN:
            browser, _ = sign_up(**taken)
            with CaptureQueriesContext(connection) as queries:
                browser.post(VERIFY, fields) if fields else browser.get(VERIFY)
            counts.add(len(queries))
            User.objects.filter(username="ada").delete()
        assert len(counts) == 1

    def test_the_mail_comes_again_to_whom_it_went(self, bob, sign_up, committing):
        for taken, subject in zip(
            self.TAKEN,
            ("Is this your e-mail address?", "Please choose another user name", "You already have an account"),
            strict=True,
        ):
            browser, first = sign_up(**taken)
            with committing():
                browser.post(VERIFY, {"again": ""})
            again = mail.outbox[-1]
            assert again is not first
            assert (again.to, again.subject) == (first.to, subject)
            User.objects.filter(username="ada").delete()

    def test_no_code_is_ever_right(self, bob, sign_up):
        browser, _ = sign_up(email="bob@example.org")
        [proof] = AddressProof.objects.filter(user=None)
        assert "This code is wrong" in page(browser.post(VERIFY, {"code": code(proof)}))
