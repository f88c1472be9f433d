"""What password managers, autofill and the keyboards of phones find on the forms, and where a refused form begins."""

import pytest

from tests.face.gallery import GALLERY

pytestmark = pytest.mark.once

TYPED = ("text", "email", "password")
PLAIN = {"autocapitalize": "none", "spellcheck": "false"}

# What a field is for, and all that has to be said of it then.
KNOWN = {
    "username": PLAIN,
    "email": {**PLAIN, "type": "email"},
    "one-time-code": {**PLAIN, "inputmode": "numeric"},
    "current-password": {"type": "password"},
    "new-password": {"type": "password"},
    "given-name": {"autocapitalize": "words", "spellcheck": "false"},
    "family-name": {"autocapitalize": "words", "spellcheck": "false"},
    "off": {},
}

PURPOSES = {
    "sign-in": ["username", "current-password"],
    "sign-up": ["username", "email", "new-password", "new-password"],
    "reset": ["email"],
    "reset-confirm": ["username", "new-password", "new-password"],
    "password-change": ["username", "current-password", "new-password", "new-password"],
    "proof": ["username", "current-password"],
    "email-asked": ["one-time-code"],
    "email": ["email"],
    "user-name": ["username"],
    "profile": ["given-name", "family-name"],
    "session-name": ["off"],
}

# Where the keyboard is when a form comes back: in the first field that is wrong, or at what is wrong with the whole.
REFUSED = {
    "sign-in-errors": "notice error",
    "sign-in-throttled": "notice error",
    "sign-up-errors": "username",
    "reset-errors": "email",
    "reset-confirm-errors": "new_password2",
    "password-change-errors": "new_password2",
    "email-errors": "email",
    "email-code-errors": "code",
    "user-name-errors": "username",
    "proof-errors": "proof-password",
}

every_page = pytest.mark.parametrize("name", [picture.name for picture in GALLERY if not picture.of_admin])


def typed(seen, name):
    return [field for field in seen(name)["fields"] if field.get("type", "text") in TYPED]


@every_page
def test_each_field_says_what_it_is_for_and_which_keyboard_it_wants(seen, name):
    for field in typed(seen, name):
        told = KNOWN[field["autocomplete"]]
        if "hidden" not in field:  # those are for password managers alone
            assert told.items() <= field.items(), field["name"]


@every_page
def test_the_enter_key_of_a_phone_says_where_it_leads(seen, name):
    for field in typed(seen, name):
        if "hidden" not in field:
            assert field["enterkeyhint"] in (("go", "done") if field["last"] else ("next",)), field["name"]


@pytest.mark.parametrize("name", PURPOSES)
def test_each_form_asks_for_what_is_known(seen, name):
    assert [field["autocomplete"] for field in typed(seen, name)] == PURPOSES[name]


def test_who_may_type_an_address_for_a_name_has_its_signs_at_hand(seen):
    assert typed(seen, "sign-in")[0]["inputmode"] == "email"


@every_page
def test_one_field_has_the_keyboard_at_most(seen, name):
    assert len([field for field in seen(name)["fields"] if "autofocus" in field]) <= 1


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_form_begins_where_it_is_wrong(seen, name):
    assert seen(name)["focused"] == REFUSED[name]


def test_every_form_that_can_be_refused_is_tried():
    assert {picture.name for picture in GALLERY if picture.name.endswith("-errors") and not picture.of_admin} <= {
        *REFUSED
    }


class TestChangePasswordUrl:
    """https://w3c.github.io/webappsec-change-password-url/"""

    def test_leads_everybody_to_the_page_and_knows_nobody(self, client, sign_in, bob, django_assert_num_queries):
        sign_in(client, bob)
        del client.cookies["__Host-access"]  # any page that looks would refresh it
        with django_assert_num_queries(0):
            answer = client.get("/.well-known/change-password")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/password/change/")
        assert not answer.cookies

    def test_whoever_comes_signed_out_is_at_the_page_after_the_sign_in(self, client, sign_in, bob):
        answer = client.get("/.well-known/change-password", follow=True)
        assert answer.redirect_chain[-1] == ("/accounts/login/?next=/accounts/password/change/", 302)

    def test_what_cannot_be_there_is_not_found(self, client, db):
        """Browsers ask for it, to tell this address from a site that answers everything with a page."""
        url = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
        assert client.get(url).status_code == 404
