"""The site below a path of its own: https://example.org/app/, with nginx in front, which takes the path away."""

import json
import os
import re
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.template.loader import render_to_string
from django.urls import set_script_prefix

from accounts.mails import outbox
from tests.accounts.mail_contents import text_of
from tests.ops import nginx
from tests.project.test_demo import Visitor, running, wait_for
from tests.smtp import wait_until

pytestmark = pytest.mark.once

CONFIGURATION = """
{user}
daemon off;
pid {folder}/pid;
error_log stderr alert;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    server {{
        listen 127.0.0.1:{port};
        location /app/ {{ proxy_pass http://127.0.0.1:{behind}/; proxy_set_header Host $http_host; }}
    }}
}}
"""
ROOT = Path(__file__).resolve().parent.parent.parent
SERVERS = {
    "gunicorn": "--config ops/gunicorn.conf.py --bind 127.0.0.1:{port} project.wsgi",
    "uvicorn": "--port {port} project.asgi:application",
}
LINKS = re.compile(r'(?:href|src|action)="([^"#?]*)')


class Below(Visitor):
    """A visitor of the site below /app, whose paths are told without it."""

    def request(self, method, path, body=None, headers=None):
        return super().request(method, path if path.startswith("/app/") else f"/app{path}", body, headers)


@pytest.fixture(scope="module", params=SERVERS)
def site(request, tmp_path_factory):
    """A demo whose data a server of production goes on with."""
    folder = tmp_path_factory.mktemp("below")
    port, behind = nginx.free_ports(2)
    issuer = f"http://localhost:{port}/app"
    with running(folder / "data", TOKENS_ISSUER=issuer) as demo:
        pass
    environment = {
        "SECRET_KEY": (demo.data / "secret-key").read_text(),
        "ALLOWED_HOSTS": "localhost",
        "DATABASE_URL": f"sqlite:///{demo.data}/db.sqlite3",
        "EMAIL_URL": f"filemail:///{demo.data}/mail",
        "STATIC_ROOT": f"{demo.data}/static",
        "SECURE_SSL_REDIRECT": "false",
        "TOKENS_ISSUER": issuer,
        "PATH": os.environ["PATH"],
    }
    server = [sys.executable, "-m", request.param, *SERVERS[request.param].format(port=behind).split()]
    user = "user root;" if folder.owner() == "root" else ""
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, user=user, port=port, behind=behind))
    front = [nginx.program(), "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]
    processes = [subprocess.Popen(server, cwd=ROOT, env=environment), subprocess.Popen(front)]
    wait_until(lambda: nginx.listens(behind) and nginx.listens(port))
    demo.port = port
    yield demo
    for process in processes:
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.parametrize("prefix", ["/", "/app/"])
def test_mails_name_the_path_once_whoever_sends_them(settings, prefix):
    """In a request, and in a command, the prefix is set; in a thread of its own it isn't."""
    settings.TOKENS_ISSUER = "https://example.org/app"
    set_script_prefix(prefix)
    try:
        assert outbox.absolute_url("sessions") == "https://example.org/app/accounts/sessions/"
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize("template", ["500.html", "503.html"])
def test_pages_that_know_no_request_lead_below_it(settings, template):
    settings.FORCE_SCRIPT_NAME = "/app"
    links = re.findall(r'<a [^>]*href="(/[^"]*)', render_to_string(template))
    assert set(links) == {"/app/"}


def mailed_link(site, part):
    """The path of the one link with this part in the mails so far."""
    found = re.compile(rf"http://localhost:{site.port}(/app/\S*{part}\S+)")

    def look():
        mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in site.data.glob("mail/*.eml")]
        return {link for mail in mails for link in found.findall(text_of(mail))}

    [link] = wait_for(look)
    return link


@pytest.mark.slow
def test_every_link_of_every_page_leads_below_it(site):
    alice, seen, wrong = Below(site), set(), {}
    alice.sign_in("alice", site.passwords["alice"])
    to_see = ["/app/", "/app/admin/", "/app/nowhere", "/app/accounts/sessions/", "/app/.well-known/jwks.json"]
    while to_see and len(seen) < 150:
        path = to_see.pop()
        if path in seen or "logout" in path:
            continue
        seen.add(path)
        page = alice.get(path)
        while page.status in (301, 302, 307):
            page = alice.get(page.headers["Location"])
        if page.status >= 500 or (page.status == 404 and path != "/app/nowhere"):
            wrong[path] = page.status
        if "text/html" not in page.headers["Content-Type"]:
            continue
        links = {link for link in LINKS.findall(page.text) if link.startswith("/")}
        if outside := {link for link in links if not link.startswith("/app/")}:
            wrong[path] = outside
        to_see += links - seen
    assert wrong == {}
    assert {path for path in seen if path.endswith(".css")} and len(seen) > 40
    assert alice.get("/").headers["Content-Security-Policy"].endswith("report-uri /app/csp-report")
    assert json.loads(alice.get("/api/openapi.json").text)["servers"] == [{"url": "/app/api"}]


@pytest.mark.slow
def test_a_new_account_is_confirmed_by_the_mail_and_signs_in_and_out(site):
    carol = Below(site)
    fields = {"username": "carol", "email": "carol@example.org"}
    password = "four quiet herons at dusk"
    assert carol.post("/accounts/signup/", **fields, password1=password, password2=password).status == 302
    question = carol.get(mailed_link(site, "/email/confirm/")).headers["Location"]
    assert carol.post(question).headers["Location"].startswith("/app/")
    carol.sign_in("carol", password)
    assert carol.is_signed_in
    carol.cookies.pop("__Host-access")
    assert carol.is_signed_in  # by a refresh
    assert carol.request("GET", "/accounts/sessions/").status == 200
    left = carol.post("/accounts/sessions/end-all/")
    assert left.headers["Location"].startswith("/app/accounts/login/")
    assert not carol.is_signed_in


@pytest.mark.slow
def test_a_new_password_by_the_mail_and_the_way_back_to_a_page(site):
    bob, password = Below(site), "four loud herons at dawn"
    assert bob.post("/accounts/password/reset/", email="bob@example.org").headers["Location"].startswith("/app/")
    form = bob.get(mailed_link(site, "/password/reset/")).headers["Location"]
    done = bob.post(form, new_password1=password, new_password2=password)
    assert (done.status, done.headers["Location"][:5]) == (302, "/app/")
    somewhere = Below(site)
    page = somewhere.get("/admin/accounts/user/?q=x").headers["Location"]
    assert page == "/app/accounts/login/?next=/app/admin/accounts/user/%3Fq%3Dx"
    signed_in = somewhere.post(page, username="alice", password=site.passwords["alice"], next=unquote(page[26:]))
    assert signed_in.headers["Location"] == "/app/admin/accounts/user/?q=x"
    assert somewhere.get(signed_in.headers["Location"]).status == 200
    assert somewhere.post("/accounts/logout/").headers["Location"].startswith("/app/")
    bob.sign_in("bob", password)
    assert bob.is_signed_in
