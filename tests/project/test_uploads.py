"""No form here has a file, so none is taken."""

from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

LARGE = 3 * 1024 * 1024  # bytes: more than Django would hold in memory


def test_a_file_that_nobody_asked_for_is_never_written_to_the_disk(client, db, monkeypatch):
    written = []
    monkeypatch.setattr(TemporaryUploadedFile, "__init__", lambda *args, **kwargs: written.append(args))
    response = client.post("/accounts/login/", {"username": "bob", "file": SimpleUploadedFile("large", b"x" * LARGE)})

    assert response.status_code == 200
    assert written == []
    assert response.wsgi_request.FILES == {}
    assert len(response.wsgi_request.environ["wsgi.input"]) > LARGE / 2  # What is left there was never read.


def test_what_was_sent_before_it_is_read_and_the_rest_is_not(client, db):
    form = {"username": "bob", "password": "", "file": SimpleUploadedFile("small", b"x"), "next": "/"}

    assert set(client.post("/accounts/login/", form).wsgi_request.POST) == {"username", "password"}
