"""What Sentry is sent, by its own library, to a server of the test's own."""

import gzip
import json
import os

import pytest

from tests.http_server import Handler, serving
from tests.programs import output_of

pytestmark = pytest.mark.once

SECRET = "hushhush-0123456789"
SCRIPT = f"""
import django; django.setup()
import logging, sentry_sdk
from django.conf import settings
from django.test import Client
settings.ROOT_URLCONF = "tests.observability.urls"
client = Client(raise_request_exception=False, headers={{"authorization": "Bearer {SECRET}"}})
client.cookies["__Host-access"] = "{SECRET}"
client.post("/broken/?code={SECRET}", {{"password": "{SECRET}", "username": "bob"}}, REMOTE_ADDR="192.0.2.77")
logging.getLogger("accounts").error("Something of %s failed.", "bob-{SECRET}")
sentry_sdk.flush()
"""


def test_an_error_is_reported_with_its_place_and_without_a_secret_or_a_visitor():
    received = []

    class Sink(Handler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    with serving(Sink) as port:
        environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "SENTRY_DSN": f"http://key@127.0.0.1:{port}/1"}
        output_of("-c", SCRIPT, env=os.environ | environment)
    text = b"".join(received).decode()
    events = [json.loads(line) for each in received for line in each.splitlines() if b'"event_id"' in line]
    events = [event for event in events if "platform" in event]
    failed = {event["exception"]["values"][-1]["type"]: event for event in events if "exception" in event}
    broken = failed["RuntimeError"]
    assert broken["transaction"] == "/broken/"
    assert broken["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "broken"
    assert len(broken["tags"]["request_id"]) == 16
    assert "Something of %s failed." in [event.get("logentry", {}).get("message") for event in events]
    for hidden in (SECRET, "bob", "192.0.2.77", '"cookies"', '"headers"', '"vars"', os.uname().nodename):
        assert hidden not in text, text
