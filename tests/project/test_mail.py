"""The demo's mail: a file each, and the text of it on the console."""

import pytest

from accounts.mails import outbox, worker
from tests.smtp import mailer

pytestmark = pytest.mark.once


@pytest.fixture
def folder(settings, tmp_path):
    for name, value in mailer("project.email_backend.EmailBackend", file_path=str(tmp_path / "mail")).items():
        setattr(settings, name, value)
    return tmp_path / "mail"


def test_each_mail_is_a_file_with_all_that_is_in_it(folder, bob):
    for _ in range(2):
        outbox.enqueue("password_reset", bob)
    assert worker.send_due() == 2

    files = list(folder.iterdir())
    assert len(files) == 2
    for file in files:
        assert "multipart/alternative" in file.read_text()
        assert "<h1" in file.read_text()


def test_the_console_shows_what_a_person_reads(folder, bob, capsys):
    outbox.enqueue("password_reset", bob)
    worker.send_due()

    shown = capsys.readouterr().out
    assert "Subject: Choose a new password" in shown
    assert "http://testserver/accounts/password/reset/" in shown
    assert "<" not in shown.partition("\n\n")[2]
