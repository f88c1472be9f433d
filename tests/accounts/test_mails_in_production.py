"""Mails of the production server, in processes of its own, to a real mail server."""

import os
import re
import signal

import pytest

from tests.conftest import PASSWORD
from tests.project.test_demo import Visitor
from tests.resilience import database
from tests.resilience.server import Site
from tests.smtp import MailServer, wait_until, words

pytestmark = [pytest.mark.once, pytest.mark.slow]

WAITING = "SELECT kind, attempts FROM accounts_outgoingmail"
DUE = "UPDATE accounts_outgoingmail SET due_at = '2020-01-01 00:00:00'"


class Installation:
    """The site with two workers, its database and its mail server."""

    def __init__(self, site, mail, database_url):
        self.site, self.mail, self.url = site, mail, database_url
        self.server = site.serve(preload=True)

    def sign_up(self, name):
        """As a visitor does."""
        fields = {"username": name, "email": f"{name}@example.org", "password1": PASSWORD, "password2": PASSWORD}
        assert Visitor(self.server).post("/accounts/signup/", **fields).status == 302

    def waiting(self):
        return database.execute(self.url, WAITING)

    def start(self):
        self.server.start()
        self.server.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mails")
    url = f"sqlite:///{folder}/db.sqlite3"
    with MailServer() as mail, Site(folder, url, EMAIL_URL=mail.url) as site:
        site.jars(0)  # makes the tables
        yield Installation(site, mail, url)


@pytest.fixture
def installation(running):
    """Nobody has an account, no mail waits, and all is well with the mail server."""
    for table in ("outgoingmail", "securityevent", "emailverification", "user"):
        database.execute(running.url, f"DELETE FROM accounts_{table}")  # noqa: S608
    running.mail.forget()
    return running


def test_a_mail_comes_after_the_page_and_a_server_that_hangs_makes_no_page_slower(installation):
    mail = installation.mail
    mail.hangs = "EHLO"
    for name in ("ada", "bob"):  # who would wait for the answer until it timed out, and the mail would be put off
        installation.sign_up(name)
    wait_until(lambda: mail.connections)
    assert not mail.received
    assert len(installation.waiting()) == 2
    mail.hangs = ""
    installation.sign_up("eve")
    assert {message["To"] for message in mail.wait(3)} == {f"{name}@example.org" for name in ("ada", "bob", "eve")}
    wait_until(lambda: not installation.waiting())


def test_what_was_asked_while_the_mail_server_was_down_comes_when_it_is_up(installation):
    mail = installation.mail
    mail.die()
    installation.sign_up("ada")
    wait_until(lambda: "could not be sent" in installation.site.log.read_text())
    assert installation.waiting() == [("email_confirm", 1)]
    assert "ada@" not in installation.site.log.read_text()
    mail.start()
    database.execute(installation.url, DUE)  # thirty seconds later
    installation.sign_up("bob")
    assert sorted(message["To"] for message in mail.wait(2)) == ["ada@example.org", "bob@example.org"]


def test_kill_9_in_the_middle_loses_no_mail(installation):
    mail = installation.mail
    mail.hangs = "DATA"
    installation.sign_up("ada")
    wait_until(lambda: mail.connections)
    os.killpg(installation.server.master.pid, signal.SIGKILL)
    installation.server.master.wait()
    assert installation.waiting() == [("email_confirm", 1)]
    mail.hangs = ""
    database.execute(installation.url, DUE)  # five minutes later, when the lease is over
    installation.start()
    assert mail.wait(1)[0]["To"] == "ada@example.org"


def test_a_server_that_ends_finishes_the_mail_in_hand(installation):
    mail = installation.mail
    mail.slow = 0.5
    installation.sign_up("ada")
    mail.wait(1)
    installation.server.terminate()
    assert installation.server.master.wait(60) == 0
    assert installation.waiting() == []
    assert len(mail.received) == 1
    installation.start()


def test_a_reset_for_nobody_is_answered_alike_whatever_the_mail_server_does(installation):
    """From the second on it hangs."""
    mail = installation.mail
    installation.sign_up("ada")
    mail.wait(1)
    answers = set()
    for n, name in enumerate(("ada", "nobody", "ada", "nobody")):
        answer = Visitor(installation.server).post("/accounts/password/reset/", email=f"{name}@example.org")
        answers.add((answer.status, answer.headers["Location"], answer.text))
        if n == 0:
            [link] = re.findall(r"http://\S+", words(mail.wait(2)[1]))
            mail.hangs = "EHLO"

    assert link.startswith("http://localhost/accounts/password/reset/")
    assert len(answers) == 1
    assert [message["To"] for message in mail.received] == ["ada@example.org"] * 2
