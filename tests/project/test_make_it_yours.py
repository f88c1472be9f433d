"""Do what docs/howto/make-it-yours.md says, in a folder outside of the checkout, and look at what comes of it."""

import os
import re
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.template.loader import render_to_string

from project import colours
from project.colours import ENOUGH, LIGHT, TooFaint, palette, worst
from project.settings import BASE_DIR
from tests.programs import output_of
from tests.project.test_settings import documented
from tokens.testing import Client

ROOT = Path(configured.BASE_DIR)
PAGE = (ROOT / "docs/howto/make-it-yours.md").read_text()
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 32"><path d="M0 0h64v32H0z"/></svg>'
VISIT = """
from accounts.admin_site import AdminSite
from accounts.mails.messages import compose
from accounts.models import OutgoingMail, User
from harbour.models import Note
from tokens.testing import Client

ada = User.objects.create_superuser("ada", "ada@example.org", "a password of hers")
Note.objects.create(author=ada, text="Mind the tide.")
headers = {"host": "example.org", "x-forwarded-proto": "https"}
client = Client(headers=headers)
assert client.get("/notes/").headers["Location"] == "/accounts/login/?next=/notes/"
client.force_login(ada)
pages = [client.get(url).content.decode() for url in ("/", "/notes/", "/admin/")]
assert 'href="/notes/"' in pages[0] and "Mind the tide." in pages[1]
for page in pages:
    assert 'width="56"' in page and "/static/logo." in page and 'href="/site.css?7a1fa2"' in page
others = [Client(headers=headers).get(url).content.decode() for url in ("/", "/no/such/", "/api/openapi.json")]
for page in (*pages, *others):
    assert "Harbour" in page and "Sojourn" not in page
for page in pages[:2]:
    assert 'href="/imprint/"' in page and 'href="mailto:help@example.org"' in page
mail = compose(OutgoingMail.objects.create(kind="email_taken", user=ada, to=ada.email, language="en"))
for text in (mail.body, mail.alternatives[0][0]):
    assert "Harbour" in text and "help@example.org" in text and "Sojourn" not in text
assert "#7a1fa2" in mail.alternatives[0][0] and mail.from_email == "Harbour <noreply@example.org>"
"""


@pytest.mark.once
def test_the_page_works_as_written_and_leaves_the_checkout_alone(tmp_path):
    for comment, text in re.findall(r"^```(?:python|html)\n(?:\{?# (\S+).*\n)((?:.*\n)*?)```", PAGE, flags=re.M):
        file = tmp_path / comment
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (tmp_path / "static").mkdir()
    (tmp_path / "static/logo.svg").write_text(LOGO)
    [variables] = re.findall(r"^```sh\n((?:[A-Z_]+=.*\n)+)```", PAGE, flags=re.M)
    own = dict(variable.split("=", 1) for variable in variables.splitlines())
    own |= dict(re.findall(r"`(PYTHONPATH|DJANGO_SETTINGS_MODULE)=(\S+)`", PAGE))
    environment = {name: value.replace("/srv/harbour", str(tmp_path)) for name, value in own.items()}
    changes = {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "CACHE_URL": "", "DEFAULT_FROM_EMAIL": ""}
    environment |= documented(**changes, STATIC_ROOT=str(tmp_path / "collected"))

    manage = partial(output_of, "manage.py", env={"PATH": os.environ["PATH"], **environment})
    for command in re.findall(r"^python manage.py (.*)$", PAGE, flags=re.M):
        manage(*command.split(), "-v0")
    assert (tmp_path / "harbour/migrations/0001_initial.py").exists()
    manage("makemigrations", "--check", "--dry-run")
    manage("check", "--fail-level", "WARNING")
    manage("shell", "-v0", "-c", VISIT)


class TestAccent:
    def test_the_colours_of_the_style_sheet_are_those_of_the_palette(self):
        for sheet in ("sojourn.css", "admin.css"):
            text = (BASE_DIR / "static/css" / sheet).read_text()
            for shades in (colours.DEFAULT.light, colours.DEFAULT.dark):
                assert all(shade in text for shade in vars(shades).values())

    @pytest.mark.parametrize("accent", ["", "#000000", "#7a1fa2", "#c00000", "#0000ff", "#717171", "#767676"])
    def test_each_can_be_read_in_light_and_dark_or_is_refused_with_one_that_can(self, accent):
        try:
            found = palette(accent)
        except TooFaint as reason:
            assert accent == "#767676"
            found = palette(re.findall("#[0-9a-f]{6}", str(reason))[0])
        for shades, backgrounds in ((found.light, LIGHT), (found.dark, colours.DARK)):
            for colour in (shades.accent, shades.strong):
                assert worst(colour, *backgrounds, shades.tint) >= ENOUGH
                assert worst(shades.on, colour) >= ENOUGH

    def test_the_sheet_is_there_if_there_is_one(self, client, settings):
        settings.SITE_ACCENT = "#7a1fa2"
        response = client.get("/site.css?7a1fa2")
        assert response.headers["Content-Type"] == "text/css" and "light-dark(#7a1fa2,#" in response.content.decode()
        for page in ("404.html", "500.html"):
            assert "site.css?7a1fa2" in render_to_string(page)


class TestFixedPlaces:
    def test_knows_nobody_and_may_be_kept_by_caches(self, settings, client, bob, sign_in, django_assert_num_queries):
        settings.SECURITY_CONTACT, settings.SITE_ACCENT = "mailto:security@example.org", "#7a1fa2"
        sign_in(client, bob)
        del client.cookies["__Host-access"]  # any page that looks would refresh it
        for url in ("/.well-known/security.txt", "/robots.txt", "/favicon.ico", "/apple-touch-icon.png", "/site.css"):
            with django_assert_num_queries(0):
                response = client.get(url)
            assert response.status_code in (200, 301)
            assert not response.cookies and "Cookie" not in response.headers.get("Vary", "")
            assert "public" in response.headers["Cache-Control"]
            if response.status_code == 301:
                icon = Client().get(response.headers["Location"])
                assert icon.status_code == 200
                icon.close()

    def test_security_txt_says_whom_to_tell_and_until_when_it_holds(self, settings, client):
        settings.SECURITY_CONTACT = "mailto:security@example.org"
        response = client.get("/.well-known/security.txt")
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        lines = dict(line.split(": ") for line in response.content.decode().splitlines())
        assert lines["Contact"] == settings.SECURITY_CONTACT
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", lines["Expires"])
        assert lines["Canonical"] == "http://testserver/.well-known/security.txt"
