"""Every page in every state that is worth a look: tests/ui holds them to its rules, and makes pictures of them.

`python -m tests.ui.screenshots` makes the pictures. A page that is not here fails tests/ui/test_gallery.py.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, Route

from tests.ui.people import PASSWORD

Act = Callable[[Page], None]

NEW = "another battery horse"
COMMON = "passwordpassword"
NOBODYS = "00000000-0000-4000-8000-000000000000"
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Picture:
    """`path` is a format string for the facts of the site; `who` names the sign-in that looks (tests/ui/people.py),
    and `act` is done on the page before it is looked at. All of them can be looked at again and again."""

    name: str
    path: str
    who: str = ""
    status: int = 200
    act: Act | None = None

    @property
    def of_admin(self) -> bool:
        """Whether Django has made it: we dress it, and have no say in its markup."""
        return self.path.startswith("/admin/") and self.status == 200


def sent(**fields: str) -> Act:
    """The form with these fields, filled in and sent."""

    def act(page: Page) -> None:
        for name, value in fields.items():
            page.fill(f"main [name={name}]", value)
        with page.expect_navigation():
            page.press(f"main [name={name}]", "Enter")

    return act


def pressed(button: str, where: str = "main") -> Act:
    def act(page: Page) -> None:
        with page.expect_navigation():
            page.locator(where).get_by_role("button", name=button, exact=True).press("Enter")

    return act


def followed(link: str) -> Act:
    def act(page: Page) -> None:
        with page.expect_navigation():
            page.locator("main").get_by_role("link", name=link, exact=True).press("Enter")

    return act


def one_after_another(*acts: Act) -> Act:
    def act(page: Page) -> None:
        for each in acts:
            each(page)

    return act


def until_throttled(act: Act) -> Act:
    def often(page: Page) -> None:
        for _ in range(12):
            act(page)
            if "too many attempts" in page.inner_text("main").casefold():
                return

    return often


def with_token(token: str, act: Act) -> Act:
    """A form with this CSRF token: none is a forgery, and one of another cookie is of before a sign-in."""

    def act_with_token(page: Page) -> None:
        page.locator("main [name=csrfmiddlewaretoken]").evaluate("(field, token) => field.value = token", token)
        act(page)

    return act_with_token


def as_by_safari(page: Page) -> None:
    """A form without the cookie that belongs to it."""
    page.context.clear_cookies()
    sent(email="carol@example.org")(page)


def signed_up(page: Page) -> None:
    """A name of its own each time, as a second browser would be told that it is taken."""
    sent(username=f"newcomer{next(NUMBERS)}", email="newcomer@example.org", password1=NEW, password2=NEW)(page)


def ended(page: Page) -> None:
    """Sign out elsewhere, while the page stays open."""
    cookies = page.context.cookies()
    token = page.input_value("main [name=csrfmiddlewaretoken]")
    page.request.post(urljoin(page.url, "/accounts/logout/"), form={"csrfmiddlewaretoken": token}, max_redirects=0)
    page.context.clear_cookies()
    page.context.add_cookies(cookies)


def menu(page: Page) -> None:
    page.locator("header button.account").press("Enter")


def leaving(page: Page) -> None:
    """Off to a provider, but to stay on the page that leads there."""

    def stayed(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('content="0;', 'content="99999;'))

    page.route("**/accounts/login/github/", stayed)
    pressed("Sign in with GitHub")(page)


def opened(page: Page) -> None:
    """What can be unfolded."""
    page.locator("main summary").press("Enter")


PROFILE_AFTER_SIGN_IN = "/accounts/login/?next=/accounts/profile/"
INTERRUPTED = (sent(username="wanda", password=PASSWORD), ended, sent(first_name="Wanda"))

OPEN = [
    Picture("home-visitor", "/"),
    Picture("sign-up", "/accounts/signup/"),
    Picture(
        "sign-up-errors",
        "/accounts/signup/",
        act=sent(username="bob marsh", email="bob@example", password1=COMMON, password2=COMMON),
    ),
    Picture("signed-up", "/accounts/signup/", act=one_after_another(signed_up, opened)),
    Picture("sign-in", "/accounts/login/"),
    Picture("sign-in-errors", "/accounts/login/", act=sent(username="carol", password="is it this?")),
    Picture(
        "sign-in-throttled",
        "/accounts/login/",
        status=429,
        act=one_after_another(*(sent(username="ivan", password=f"is it {n}?") for n in range(11))),
    ),
    Picture("sign-in-closed", "/accounts/login/", act=sent(username="zoe", password=PASSWORD)),
    Picture(
        "signed-out",
        "/accounts/login/",
        act=one_after_another(sent(username="wanda", password=PASSWORD), menu, pressed("Sign out", where="header")),
    ),
    Picture("provider-leave", "/accounts/login/", act=leaving),
    Picture("provider-offered", "/accounts/login/", who="offered"),
    Picture("provider-failed", "/accounts/login/github/callback/"),
    Picture("sign-in-carried", PROFILE_AFTER_SIGN_IN, act=one_after_another(*INTERRUPTED)),
    Picture(
        "carried-form",
        PROFILE_AFTER_SIGN_IN,
        act=one_after_another(*INTERRUPTED, sent(username="wanda", password=PASSWORD)),
    ),
    Picture("second-factor", "/accounts/login/", act=sent(username="petra", password=PASSWORD)),
    Picture("second-factor-passkey", "/accounts/login/", act=sent(username="otto", password=PASSWORD)),
    Picture(
        "second-factor-errors",
        "/accounts/login/",
        act=one_after_another(sent(username="petra", password=PASSWORD), sent(code="123456")),
    ),
    *[
        Picture(
            f"factors-lost{state}",
            "/accounts/login/",
            act=one_after_another(sent(username=name, password=PASSWORD), followed("Lost everything?")),
        )
        for name, state in (("otto", ""), ("ida", "-started"))
    ],
    Picture("factors-remove", "/accounts/second-factor/remove/{lost}/"),
    Picture("factors-remove-invalid", "/accounts/second-factor/remove/{leaving}/"),
    Picture("factors-keep-by-link", "/accounts/second-factor/keep/{leaving}/"),
    Picture("factors-keep-invalid", f"/accounts/second-factor/keep/{NOBODYS}/c-0/"),
    *[
        Picture(f"ended-{reason}", "/accounts/login/", who=f"ended-{reason}")
        for reason in (
            "ended",
            "reused",
            "password",
            "factors",
            "admin",
            "evicted",
            "expired",
            "deactivated",
            "deleted",
        )
    ],
    Picture("unproven", "/accounts/login/", who="unproven"),
    Picture("reset", "/accounts/password/reset/"),
    Picture("reset-errors", "/accounts/password/reset/", act=sent(email="bob@example")),
    Picture("reset-sent", "/accounts/password/reset/done/"),
    Picture("reset-confirm", "/accounts/password/reset/{reset}/"),
    Picture(
        "reset-confirm-errors",
        "/accounts/password/reset/{reset}/",
        act=sent(new_password1=NEW, new_password2=PASSWORD),
    ),
    Picture("reset-invalid", "/accounts/password/reset/Mw/x/"),
    Picture("reset-expired", "/accounts/password/reset/Mw/c-0/"),
    Picture("reset-complete", "/accounts/password/reset/complete/"),
    Picture("email-confirm", "/accounts/email/confirm/{confirm}/"),
    Picture("email-confirm-invalid", f"/accounts/email/confirm/{NOBODYS}/c-0/"),
    Picture("email-confirm-used", "/accounts/email/confirm/{used}/"),
    Picture("email-confirm-expired", "/accounts/email/confirm/{old}/"),
    Picture("email-undo", "/accounts/email/undo/{undo}/"),
    Picture("email-undo-used", "/accounts/email/undo/{undone}/"),
    Picture("email-undo-invalid", f"/accounts/email/undo/{NOBODYS}/c-0/"),
    Picture("styleguide", "/styleguide/"),
]

OWN = [
    Picture("home", "/", who="bob"),
    Picture("menu", "/", who="alice", act=menu),
    Picture("profile", "/accounts/profile/", who="bob"),
    Picture("profile-saved", "/accounts/profile/", who="olga", act=sent(first_name="Olga")),
    Picture("security", "/accounts/security/", who="bob"),
    Picture("security-unconfirmed", "/accounts/security/", who="erin"),
    Picture("confirm", "/accounts/confirm/", who="bob"),
    Picture("security-factors", "/accounts/security/", who="petra"),
    Picture("passkey-add", "/accounts/security/", who="bob", act=pressed("Add a passkey")),
    Picture("provider-remove", "/accounts/security/providers/{identity_id}/remove/", who="petra"),
    Picture("provider-security", "/accounts/security/", who="gwen"),
    Picture("provider-reauthenticate", "/accounts/export/", who="gwen", act=pressed("Download")),
    Picture("provider-only", "/accounts/security/", who="gwen", act=followed("Remove GitLab")),
    Picture("provider-sessions", "/accounts/sessions/", who="gwen"),
    Picture("passkey-name", "/accounts/security/passkeys/{passkey_id}/name/", who="petra"),
    Picture("passkey-remove", "/accounts/security/passkeys/{passkey_id}/remove/", who="petra"),
    Picture("passkey-reauthenticate", "/accounts/security/", who="otto", act=pressed("Add a passkey")),
    Picture("reauthenticate-factors", "/accounts/confirm/", who="petra"),
    Picture("authenticator", "/accounts/security/authenticator/", who="bob"),
    Picture("authenticator-errors", "/accounts/security/authenticator/", who="bob", act=sent(code="123456")),
    Picture("authenticator-remove", "/accounts/security/authenticator/remove/", who="petra"),
    Picture("recovery-codes", "/accounts/security/recovery-codes/", who="petra"),
    Picture("recovery-codes-shown", "/accounts/security/recovery-codes/", who="petra", act=pressed("Show my codes")),
    Picture("user-name", "/accounts/username/", who="bob"),
    Picture("user-name-errors", "/accounts/username/", who="bob", act=sent(username="alice")),
    Picture("email", "/accounts/email/", who="bob"),
    Picture("email-pending", "/accounts/email/", who="pia"),
    Picture("email-errors", "/accounts/email/", who="bob", act=sent(email="bob@example")),
    Picture("email-asked", "/accounts/email/verify/", who="erin", act=pressed("Send the email")),
    Picture("email-refused", "/accounts/email/verify/", who="rita"),
    Picture("email-unasked", "/accounts/email/verify/", who="erin"),
    Picture(
        "email-code-errors",
        "/accounts/email/verify/",
        who="erin",
        act=one_after_another(pressed("Send the email"), sent(code="123456")),
    ),
    Picture("checkup", "/accounts/checkup/", who="tess"),
    Picture("checkup-banner", "/", who="tess"),
    Picture("factors-keep", "/accounts/security/keep/", who="ida"),
    Picture("factors-keep-banner", "/accounts/profile/", who="ida"),
    Picture("password-change", "/accounts/password/change/", who="bob"),
    Picture(
        "password-change-errors",
        "/accounts/password/change/",
        who="nora",
        act=sent(old_password=PASSWORD, new_password1=COMMON, new_password2=COMMON),
    ),
    Picture("sessions", "/accounts/sessions/", who="bob"),
    Picture("sessions-one", "/accounts/sessions/", who="carol"),
    Picture("sessions-many", "/accounts/sessions/", who="mona"),
    Picture("sessions-many-older", "/accounts/sessions/?page=3", who="mona"),
    Picture("sessions-many-found", "/accounts/sessions/?q=bench", who="mona"),
    Picture("sessions-none", "/accounts/sessions/?q=nowhere", who="mona"),
    Picture("sessions-many-end-others", "/accounts/sessions/end-others/", who="mona"),
    Picture("sessions-twelve", "/accounts/sessions/", who="twelve"),
    *[
        Picture(f"hostile-{name}", path, who="hostile")
        for name, path in [
            ("home", "/"),
            ("profile", "/accounts/profile/"),
            ("sessions", "/accounts/sessions/"),
            ("end-others", "/accounts/sessions/end-others/"),
            ("activity", "/accounts/activity/"),
        ]
    ],
    Picture("session-naming", "/accounts/sessions/?name={session}", who="bob"),
    Picture("session-end", "/accounts/sessions/{session}/end/", who="bob"),
    Picture("session-end-here", "/accounts/sessions/{here}/end/", who="bob"),
    Picture("sessions-end-others", "/accounts/sessions/end-others/", who="bob"),
    Picture("sessions-end-all", "/accounts/sessions/end-all/", who="bob"),
    Picture("session-name", "/accounts/sessions/{session}/name/", who="bob"),
    Picture("activity", "/accounts/activity/", who="bob"),
    Picture("activity-older", "/accounts/activity/?page=2", who="bob"),
    Picture("activity-empty", "/accounts/activity/", who="carol"),
    Picture("proof", "/accounts/export/", who="olga", act=pressed("Download")),
    Picture(
        "proof-errors",
        "/accounts/export/",
        who="olga",
        act=one_after_another(pressed("Download"), sent(**{"proof-password": "is it this?"})),
    ),
    Picture("export", "/accounts/export/", who="bob"),
    Picture("delete", "/accounts/delete/", who="bob"),
    Picture("delete-last", "/accounts/delete/", who="alice"),
    Picture("keep", "/accounts/keep/", who="dave"),
]

TROUBLE = [
    Picture("400", "/trouble/400/", status=400),
    Picture("403", "/admin/", who="bob", status=403),
    Picture("csrf", "/accounts/password/reset/", status=403, act=with_token("", sent(email="carol@example.org"))),
    Picture(
        "csrf-stale", "/accounts/profile/", who="bob", status=403, act=with_token("x" * 64, sent(first_name="Rob"))
    ),
    Picture("csrf-safari", "/accounts/password/reset/", status=403, act=as_by_safari),
    Picture("404-visitor", "/no/such/", status=404),
    Picture("404", "/no/such/", who="bob", status=404),
    Picture("405", "/accounts/logout/", who="bob", status=405),
    Picture(
        "429",
        "/accounts/username/",
        who="erin",
        status=429,
        act=until_throttled(sent(username="alice")),
    ),
    Picture("500", "/trouble/500/", status=500),
    Picture("503", "/trouble/503/", status=503),
    Picture("503-unproven", "/trouble/503/?unproven", status=503),
]

ADMIN = [
    Picture(f"admin-{name}", f"/admin/{path}", who="alice", act=act)
    for name, path, act in [
        ("index", "", None),
        ("app", "accounts/", None),
        ("people", "accounts/user/", None),
        ("people-none", "accounts/user/?q=nobody", None),
        ("person-add", "accounts/user/add/", None),
        ("person-errors", "accounts/user/add/", pressed("Save")),
        ("person", "accounts/user/{bob_id}/change/", None),
        ("person-with-factors", "accounts/user/{petra_id}/change/", None),
        ("person-of-provider", "accounts/user/{gwen_id}/change/", None),
        ("person-without-sessions", "accounts/user/{wanda_id}/change/", None),
        ("person-hostile", "accounts/user/{hostile_id}/change/", None),
        ("person-close", "accounts/user/{bob_id}/change/", pressed("Close account")),
        ("person-remove-factors", "accounts/user/{petra_id}/change/", pressed("Remove second step")),
        ("person-delete", "accounts/user/{bob_id}/delete/", None),
        ("person-history", "accounts/user/{bob_id}/history/", None),
        ("groups", "auth/group/", None),
        ("group-add", "auth/group/add/", None),
        ("group", "auth/group/{group_id}/change/", None),
        ("group-delete", "auth/group/{group_id}/delete/", None),
        ("sessions", "tokens/refreshtoken/", None),
        ("session", "tokens/refreshtoken/{session}/change/", None),
        ("events", "accounts/securityevent/", None),
        ("event", "accounts/securityevent/{event_id}/change/", None),
        ("mails", "accounts/outgoingmail/", None),
        ("mail", "accounts/outgoingmail/{mail_id}/change/", None),
    ]
]

GALLERY = [*OPEN, *OWN, *TROUBLE, *ADMIN]
NAMED = {picture.name: picture for picture in GALLERY}

# A page of each kind, which is looked at whenever the tests run. The others are slow.
TELLING = ("sign-in", "sign-in-errors", "sessions", "admin-people")
every_page = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in TELLING else pytest.mark.slow) for name in NAMED]
)
