"""Mails: what they say, how they are written, and what is kept of them."""

import re
from email import policy
from email.parser import BytesParser
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation

from accounts.email.tokens import stamp
from accounts.mails import messages as mail_messages
from accounts.mails import outbox
from accounts.models import FactorRemoval, OutgoingMail, SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX, sent
from tests.conftest import PASSWORD
from tests.smtp import words
from tokens.models import RefreshToken
from tokens.signals import reuse_found

FOLDER = Path(settings.BASE_DIR / "templates/mails")
KINDS = sorted(path.stem for path in FOLDER.glob("*.txt") if path.stem != "base" and path.stem[0] != "_")
ADDRESS = "2001:db8:85a3:1234:5678:8a2e:370:7334"
FACTS = {  # what the callers give
    "username_changed": {"before": "bob", "after": "bobby"},
    "factors_changed": {"change": "authenticator_added"},
    "recovery_code_used": {"left": 9},
}


@pytest.fixture
def written(bob, rf):
    """`written(kind)`: the message that Bob gets, asked for by Firefox."""
    User.objects.filter(pk=bob.pk).update(deletion_due_at=timezone.now(), email_verified_at=timezone.now())

    def written(kind, request=True, user_agent=FIREFOX, **facts):
        if kind in ("email_confirm", "email_changed", "email_reserved"):
            moment = None if kind == "email_confirm" else timezone.now()
            proof = bob.email_verifications.create(
                email="new@example.org", previous_email=bob.email, confirmed_at=moment
            )
            facts |= {"verification": str(proof.pk), "stamp": stamp(proof)}
        if kind.startswith("factor_removal"):
            about = {"due_at": timezone.now() if kind == "factor_removal" else None}
            facts["removal"] = str(FactorRemoval.objects.update_or_create(user=bob, defaults=about)[0].pk)
        asked = rf.post("/", headers={"user-agent": user_agent}, REMOTE_ADDR=ADDRESS) if request else None
        outbox.enqueue(kind, bob, asked, **{**FACTS.get(kind, {}), **facts})
        message = mail_messages.compose(OutgoingMail.objects.latest("pk"))
        assert message
        return message

    return written


def html(message):
    [alternative] = message.alternatives
    assert alternative.mimetype == "text/html"
    return alternative.content


class TestSend:
    @pytest.mark.django_db(transaction=True)
    def test_goes_out_after_the_commit_to_the_address_as_it_was(self, bob):
        with pytest.raises(RuntimeError), transaction.atomic():
            outbox.enqueue("account_exists", bob)
            raise RuntimeError
        assert not mail.outbox and not OutgoingMail.objects.exists()
        with transaction.atomic():
            outbox.enqueue("account_exists", bob)
            User.objects.update(email="eve@example.org")
            assert not mail.outbox
        assert sent() == [("account_exists", ["bob@example.org"])]

    def test_keeps_what_happened_and_not_what_is_said_in_one_insert(self, bob, rf, django_assert_num_queries):
        request = rf.get("/", headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.7")
        with django_assert_num_queries(1), translation.override("fr"):
            outbox.enqueue("password_reset", bob, request)
        kept = OutgoingMail.objects.get()
        assert (kept.kind, kept.user, kept.to, kept.language) == ("password_reset", bob, "bob@example.org", "fr")
        assert kept.context == {"ip_address": "203.0.113.7", "user_agent": FIREFOX}
        assert '<html lang="fr">' in html(mail_messages.compose(kept))

    def test_text_is_text(self, written, bob):
        name = "<b> & 'c'"
        User.objects.filter(pk=bob.pk).update(username=name)
        message = written("account_exists")
        assert name in message.body
        assert name not in html(message)
        assert name in unescape(html(message))


class TestEmailChanged:
    @pytest.mark.parametrize("known", [True, False])
    def test_masks_the_new_email_and_names_it_only_to_whoever_had_confirmed_theirs(self, bob, known):
        change = bob.email_verifications.create(
            email="new@example.org",
            previous_email=bob.email,
            previous_email_verified=known,
            confirmed_at=timezone.now(),
        )
        outbox.enqueue("email_changed", bob, verification=str(change.pk))
        message = mail_messages.compose(OutgoingMail.objects.get())
        for text in (message.body, html(message)):
            assert ("n•••@example.org" in text) is known and "new@example.org" not in text


@pytest.mark.once
@pytest.mark.parametrize("kind", KINDS)
class TestEveryMail:
    def test_says_what_when_where_and_by_which_browser_in_text_and_in_html_alike(self, kind, written):
        message, page = written(kind), Reader()
        page.feed(html(message))
        assert 10 < len(message.subject) < 60
        assert not re.search(r"[{}]|None|\n{3}", message.body)
        for said in ("bob", f"{timezone.now():%-d %B %Y}, ", ADDRESS, "Firefox 128 on Linux"):
            assert said in message.body
        for line in message.body.splitlines():
            assert line.startswith(("http", "--")) or line.removesuffix(":").strip() in page.text, line
        assert page.links == set(re.findall(r"https?://\S+", message.body))
        assert not re.search(r"<img|<script|<link|<iframe|<form|url\(|\ssrc=|\bon\w+=|@import", html(message))
        assert set(re.findall(r"https?://[^/\s\"]+", message.body + html(message))) <= {"http://testserver"}

    def test_without_a_request_there_is_no_where_and_no_name_gets_into_a_header(self, kind, written, bob):
        before = written(kind).subject
        User.objects.filter(pk=bob.pk).update(username="Evil\r\nBcc: eve@example.org")
        bob.refresh_from_db()
        message = written(kind, request=False, before="x\r\nBcc: y", name="x\nBcc: y", new="x\nBcc: y@example.org")
        assert message.subject == before
        assert message.message().keys().count("Bcc") == 0
        assert ADDRESS not in message.body + html(message)

    @pytest.mark.parametrize("confirmed", [True, False])
    def test_repeats_no_link_and_to_strangers_nothing_that_somebody_typed(self, kind, written, bob, confirmed):
        name = "www.evil.example" if confirmed else "evil"
        about = {"username": name} if confirmed else {"username": name, "email_verified_at": None}
        User.objects.filter(pk=bob.pk).update(**about)
        facts = {"before": name, "after": name, "by_administrator": True}
        message = written(kind, user_agent=f"{name}/1 CFNetwork/1", **facts)
        assert "evil" not in message.subject + message.body + html(message)


def test_a_mail_is_of_two_parts_the_plain_one_first_and_asks_for_no_answer(written):
    message = BytesParser(policy=policy.default).parsebytes(written("account_exists").message().as_bytes())
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == "Sojourn <noreply@testserver>"
    assert message["Reply-To"] is None
    assert message["Message-ID"].endswith("@testserver>")


@pytest.mark.once
def test_every_mail_fits_a_phone_and_fetches_nothing_in_a_real_browser(page, written):
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    page.set_viewport_size({"width": 320, "height": 600})
    for kind in KINDS:
        page.set_content(html(written(kind)))
        assert page.evaluate("document.documentElement.scrollWidth") == 320, kind
        assert page.locator("h1").count() == 1
    assert not fetched


class Reader(HTMLParser):
    """What is left of a page for whoever has no style sheets."""

    def __init__(self):
        super().__init__()
        self.words, self.links, self.skips = [], set(), False

    def handle_starttag(self, tag, attributes):
        self.skips = tag == "style"
        if tag == "a":
            self.links.add(dict(attributes)["href"])

    def handle_endtag(self, tag):
        self.skips = False

    def handle_data(self, data):
        if not self.skips:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("has_person", [True, False])
def test_reuse_is_told_with_where_and_which_browser_and_what_to_do_and_recorded(
    rf, client, bob, sign_in, committing, has_person
):
    sign_in(client, bob)
    if not has_person:
        RefreshToken.objects.update(user=None)
    request = rf.get("/", headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.7")
    row = RefreshToken.objects.get()
    with committing():
        reuse_found.send(RefreshToken, request=request, row=row, count=1)
    event = SecurityEvent.objects.first()
    assert (event.kind, event.user, event.session_id) == ("reuse_found", row.user, row.pk)
    assert sent() == ([("reuse_found", ["bob@example.org"])] if has_person else [])
    for message in mail.outbox:
        for said in (f"{event.created_at:%-d %B %Y, %H:%M}", "203.0.113.7", "Firefox 128 on Linux"):
            assert said in message.body
        assert "This can be harmless. Importing a browser profile" in message.body
        for url in ("/accounts/checkup/", "/accounts/password/reset/"):
            assert f"http://testserver{url}" in message.body


def dump():
    """All that is in the database, as text."""
    rows = [row for model in apps.get_models() for row in model._base_manager.values_list()]
    return "\n".join(map(str, rows))


def test_no_secret_lies_in_the_database_while_mails_wait_or_after(smtp, using, committing, sign_in, bob):
    smtp.die()
    browser = using(CHROME)
    fields = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    with committing():
        browser.post(reverse("signup"), fields)
        browser.post(reverse("password_reset"), {"email": "ada@example.org"})
        browser.post(reverse("password_reset"), {"email": "bob@example.org"})
    waiting = dump()
    assert "password_reset" in waiting

    smtp.start()
    OutgoingMail.objects.update(due_at=timezone.now())
    with committing():
        outbox.enqueue("password_changed", bob)
    assert not OutgoingMail.objects.exists()
    secrets = {secret for message in smtp.received for secret in secrets_in(words(message))}
    assert len(secrets) >= 2
    for secret in secrets:
        assert secret not in waiting + dump()
    assert "http://" not in waiting


def secrets_in(text):
    """The tokens of links, and codes."""
    words = re.findall(r"[^/\s]+", " ".join(re.findall(r"https?://\S+", text)))
    return {*(word for word in words if re.search(r"\w{20}", word)), *re.findall(r"^\d{6}$", text, flags=re.M)}
