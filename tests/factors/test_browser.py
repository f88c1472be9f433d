"""Passkeys in Chromium, with its virtual authenticator."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.utils import timezone
from playwright.sync_api import Page, expect
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers import bytes_to_base64url as encoded

from accounts.factors import passkeys, recovery_codes, totp
from accounts.factors.challenges import Purpose, moment_of
from accounts.models import Authenticator, FactorSettings, Passkey, User
from tests.conftest import PASSWORD
from tests.factors.authenticator import cose
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)


class Device:
    """An authenticator that the browser of `page` finds, and whose owner touches it at once."""

    def __init__(self, page: Page, synced: bool = True) -> None:
        self.session = page.context.new_cdp_session(page)
        self.send("enable")
        about = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            "defaultBackupEligibility": synced,
            "defaultBackupState": synced,
        }
        self.id = self.send("addVirtualAuthenticator", options=about)["authenticatorId"]

    def send(self, method: str, **params: Any) -> Any:
        return self.session.send(f"WebAuthn.{method}", params)

    @property
    def credentials(self) -> list[dict[str, Any]]:
        return list(self.send("getCredentials", authenticatorId=self.id)["credentials"])

    def hold(self, pk: bytes, key: ec.EllipticCurvePrivateKey, handle: bytes) -> None:
        """Put a passkey on it that was made elsewhere."""
        private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        about = {"credentialId": pk, "privateKey": private, "userHandle": handle}
        flags = {"isResidentCredential": True, "signCount": 0, "backupEligibility": True, "backupState": True}
        credential = {name: b64encode(value).decode() for name, value in about.items()} | flags | {"rpId": "localhost"}
        self.send("addCredential", authenticatorId=self.id, credential=credential)

    def refuse(self, refused: bool = True) -> None:
        """Verify nobody any more."""
        self.send("setUserVerified", authenticatorId=self.id, isUserVerified=not refused)

    def touch(self, touched: bool) -> None:
        """Whether the owner touches it when it is asked."""
        self.send("setAutomaticPresenceSimulation", authenticatorId=self.id, enabled=touched)


@pytest.fixture
def another(browser, live_server, settings) -> Iterator[Callable[..., Page]]:
    """`another()`: a page of a browser with a jar of its own, at the address that the site has by its settings."""
    settings.TOKENS_ISSUER = live_server.url.replace("127.0.0.1", "localhost")
    contexts = []

    def another(**options: Any) -> Page:
        contexts.append(browser.new_context(base_url=settings.TOKENS_ISSUER, **options))
        page: Page = contexts[-1].new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        return page

    yield another
    for context in contexts:
        context.close()


def give_password(page: Page, able: bool = False) -> None:
    """In a browser that is `able` to make passkeys, after its script has noticed that."""
    page.goto("/accounts/login/")
    if able:
        notices_what_it_can(page)
    page.get_by_label("User name or email").fill("bob")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    press(page, "Sign in")


def notices_what_it_can(page: Page) -> None:
    expect(page.locator("[data-platform]")).to_have_value("true")


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def add(page: Page) -> None:
    page.goto("/accounts/security/")
    press(page, "Add a passkey")
    press(page, "Create a passkey")


def welcomes(page: Page) -> None:
    expect(page.get_by_role("heading", name="Hello, bob.")).to_be_visible()


def forget_session(page: Page) -> None:
    page.context.clear_cookies()


@pytest.fixture
def enrolled(another, bob) -> tuple[Page, Device]:
    """Bob's browser, in which he is not signed in, and the device with his passkey."""
    page = another()
    device = Device(page)
    key, handle = ec.generate_private_key(ec.SECP256R1()), FactorSettings.objects.create(user=bob).handle
    device.hold(b"the passkey", key, handle.bytes)
    about = {"credential_id": encoded(b"the passkey"), "public_key": cbor2.dumps(cose(key)), "backup_eligible": True}
    Passkey.objects.create(user=bob, transports="internal", **about)
    return page, device


@pytest.mark.parametrize("synced", [True, False])
def test_add_it_and_sign_in_by_it_alone(another, bob, synced):
    page = another()
    device = Device(page, synced)
    give_password(page)
    add(page)
    expect(page.get_by_text("Your passkey is added.")).to_be_visible()
    forget_session(page)
    device.touch(False)  # or the browser would sign in by what it offers
    page.goto("/accounts/login/?next=/accounts/security/")
    page.get_by_label("Keep me signed in").check()
    device.touch(True)
    press(page, "Use a passkey")
    expect(page.get_by_role("heading", name="Security", exact=True)).to_be_visible()
    row = RefreshToken.objects.latest("created_at")
    assert (row.amr, row.acr, row.remember) == (f"{'swk' if synced else 'hwk'} user mfa", "phr", True)
    assert Passkey.objects.get().backup_eligible == synced


def test_the_browser_offers_it_where_the_user_name_is_typed(enrolled):
    page, _ = enrolled
    page.goto("/accounts/login/")  # The virtual authenticator stands for somebody who picks what is offered.
    welcomes(page)
    assert RefreshToken.objects.latest("created_at").method == RefreshToken.Method.PASSKEY


def test_password_then_passkey(enrolled):
    page, device = enrolled
    device.touch(False)
    give_password(page)
    expect(page.get_by_text("Use one of your passkeys to continue.")).to_be_visible()
    expect(page.get_by_label("Code")).to_have_count(0)  # he has no codes yet
    device.touch(True)
    press(page, "Use a passkey")
    welcomes(page)
    assert RefreshToken.objects.latest("created_at").amr == "pwd swk user mfa"


def test_who_is_not_verified_is_told_and_can_try_again(enrolled):
    page, device = enrolled
    device.refuse()
    page.goto("/accounts/login/")
    press(page, "Use a passkey")
    expect(page.get_by_text("No passkey was used.")).to_be_visible()
    device.refuse(False)
    press(page, "Use a passkey")
    welcomes(page)


def test_a_device_makes_one_for_each_account_and_another_device_another(another, enrolled):
    page, device = enrolled
    page.goto("/accounts/login/")
    welcomes(page)
    add(page)
    expect(page.get_by_text("This device already has a passkey for your account.")).to_be_visible()
    device.send("removeVirtualAuthenticator", authenticatorId=device.id)
    other = Device(page, synced=False)
    add(page)
    expect(page.get_by_text("Your passkey is added.")).to_be_visible()
    assert Passkey.objects.count() == 2 and len(other.credentials) == 1


def test_the_browser_forgets_one_that_was_removed(enrolled):
    page, device = enrolled
    page.goto("/accounts/login/")
    welcomes(page)
    page.goto("/accounts/security/")
    page.get_by_role("link", name=re.compile("^Rename")).click()
    page.get_by_label("Name").fill("My key")
    press(page, "Save name")
    page.get_by_role("link", name="Remove My key").click()
    press(page, "Remove")
    expect(page.get_by_text("Your passkey is removed.")).to_be_visible()
    page.wait_for_function("document.readyState === 'complete'")
    eventually(lambda: not device.credentials, page)


def test_the_browser_forgets_one_that_nobody_has(enrolled):
    page, device = enrolled
    Passkey.objects.all().delete()
    page.goto("/accounts/login/")
    expect(page.get_by_text("That passkey didn't work.")).to_be_visible()
    eventually(lambda: not device.credentials, page)
    give_password(page)
    welcomes(page)


def test_one_that_the_server_refuses_does_not_stay_on_the_device(another, bob, monkeypatch):
    page = another()
    device = Device(page)
    give_password(page)
    monkeypatch.setattr(passkeys, "LONGEST_CREDENTIAL_ID", 1)
    add(page)
    expect(page.get_by_text("That passkey didn't work.")).to_be_visible()
    eventually(lambda: not device.credentials, page)


def test_the_browser_learns_a_new_name(enrolled):
    page, device = enrolled
    page.goto("/accounts/login/")
    welcomes(page)
    page.goto("/accounts/username/")
    page.get_by_label("User name").fill("robert")
    press(page, "Change user name")
    eventually(lambda: device.credentials[0]["userName"] == "robert", page)


def test_browsers_that_cannot_read_the_options_themselves(another, bob):
    page = another()
    page.add_init_script("""
        for (const name of ["Creation", "Request"]) delete PublicKeyCredential[`parse${name}OptionsFromJSON`];
        delete PublicKeyCredential.prototype.toJSON;
        delete PublicKeyCredential.getClientCapabilities;""")
    Device(page)
    give_password(page)
    add(page)
    expect(page.get_by_text("Your passkey is added.")).to_be_visible()
    forget_session(page)
    page.goto("/accounts/login/")
    press(page, "Use a passkey")
    welcomes(page)
    forget_session(page)
    give_password(page)
    press(page, "Use a passkey")
    welcomes(page)


def test_a_page_that_is_open_for_long_gets_a_new_challenge(enrolled):
    page, device = enrolled
    device.touch(False)
    page.clock.install()
    page.goto("/accounts/login/")
    form = page.locator("form[data-passkey]")
    before = form.get_attribute("data-options")
    assert before
    with page.expect_response("**/accounts/login/passkey/options/"):
        page.clock.run_for(4 * 60_000)
    expect(form).not_to_have_attribute("data-options", before)
    # Not by the device: whether the offer that is open or the button is answered first is a matter of luck.
    challenge = base64url_to_bytes(json.loads(form.get_attribute("data-options"))["challenge"])
    assert moment_of(challenge, Purpose.SIGN_IN)


@pytest.mark.parametrize("options", [{"java_script_enabled": False}, {}])
def test_without_script_or_webauthn_there_is_the_password_alone(another, bob, options):
    page = another(**options)
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto("/accounts/login/")
    expect(page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    give_password(page)
    welcomes(page)
    page.goto("/accounts/security/")
    press(page, "Add a passkey")
    expect(page.get_by_text("This browser can't create passkeys.")).to_be_visible()
    expect(page.get_by_role("button", name="Create a passkey")).to_have_count(0)


def test_it_is_offered_after_a_password_where_the_browser_can_make_one(another, bob):
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    page = another()
    give_password(page)
    welcomes(page)
    expect(page.get_by_role("button", name="Add a passkey")).to_have_count(0)
    page = another()
    Device(page)
    give_password(page, able=True)
    press(page, "Add a passkey")
    press(page, "Create a passkey")
    expect(page.get_by_text("Your passkey is added.")).to_be_visible()


def test_a_browser_that_knows_how_makes_it_unasked_for_who_has_another_factor(another, bob):
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    Authenticator.objects.create(user=bob, secret=totp.encrypt(totp.new_secret()))
    page = another()
    device = Device(page)
    # Chromium's own needs a password manager that has filled in the password.
    page.add_init_script("""
        const create = navigator.credentials.create.bind(navigator.credentials);
        navigator.credentials.create = ({ mediation, ...options }) =>
          mediation === "conditional" ? create(options) : Promise.reject(new DOMException("asked", "NotAllowedError"));
        PublicKeyCredential.getClientCapabilities = () =>
          Promise.resolve({ conditionalCreate: true, userVerifyingPlatformAuthenticator: true });""")
    give_password(page, able=True)
    notices_what_it_can(page)
    page.get_by_label("Code").fill(recovery_codes.renew(bob)[0])
    press(page, "Continue")
    expect(page.get_by_text("Your browser made a passkey for you")).to_be_visible()
    welcomes(page)
    assert len(device.credentials) == Passkey.objects.count() == 1


def eventually(holds: Callable[[], bool], page: Page) -> None:
    """Wait for what the browser does beside the page."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(50)
    assert holds()
