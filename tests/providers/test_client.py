"""Whom a request to a provider may reach, and how PROVIDERS are read."""

import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Event, Thread
from typing import ClassVar

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.checks import check_providers
from accounts.models import ProviderFlow
from accounts.providers import client, configuration, oidc, registry
from accounts.providers.exceptions import ProviderError
from project import environment
from tests.ops.certificate import self_signed
from tokens.models import RefreshToken

ABOUT = {"name": "acme", "client_id": "us", "client_secret": "secret"}
OUTSIDE, INSIDE = registry.Provider(**ABOUT), registry.Provider(**ABOUT, private_network=True)


class TestFetch:
    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1"),
            *("::1", "::ffff:10.0.0.1", "fd00::1", "fe80::1", "64:ff9b::a00:1", "2002:a00:1::"),
            *("fec0::1", "::10.0.0.1", "::ffff:0:10.0.0.1", "ff0e::1"),
        ],
    )
    def test_reaches_no_private_address_whatever_the_name(self, monkeypatch, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        found = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: found)
        with pytest.raises(ProviderError, match="no address"):
            client.fetch(OUTSIDE, "https://login.example.org/keys")

    @pytest.mark.parametrize(
        "url", ["http://login.example.org/", "file:///etc/passwd", "javascript:1", "https://", "https://a:x/", None, 7]
    )
    def test_takes_no_url_but_over_tls(self, url):
        for provider in (OUTSIDE, INSIDE):
            with pytest.raises(ProviderError, match="TLS"):
                client.checked_url(provider, url)

    @pytest.mark.parametrize("path", ["\ud800", "é", "a\n"])
    def test_takes_no_url_that_would_have_to_be_encoded(self, path):
        with pytest.raises(ProviderError, match="TLS"):
            client.checked_url(OUTSIDE, f"https://login.example.org/{path}")

    def test_takes_plain_http_on_this_machine_if_it_is_configured_so(self):
        assert client.checked_url(INSIDE, "http://localhost:8080/").port == 8080
        with pytest.raises(ProviderError):
            client.checked_url(OUTSIDE, "http://localhost:8080/")

    def test_waits_for_no_slow_server(self, monkeypatch):
        monkeypatch.setattr(client, "DEADLINE", 0.05)
        with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(ProviderError):
            client.fetch(INSIDE, f"http://127.0.0.1:{server.getsockname()[1]}/")

    def test_nor_for_one_that_sends_a_byte_now_and_then_over_tls(self, monkeypatch, slow_url):
        monkeypatch.setattr(client, "DEADLINE", 0.05)
        with pytest.raises(ProviderError):
            client.fetch(INSIDE, slow_url)

    def test_believes_no_server_without_a_certificate_for_its_name(self, slow_url):
        with pytest.raises(ProviderError, match="CERTIFICATE_VERIFY_FAILED"):
            client.fetch(INSIDE, slow_url.replace("localhost", "127.0.0.1"))

    @pytest.fixture
    def slow_url(self, monkeypatch, tmp_path):
        """Of a server for localhost that needs a second for a document, which is complete after all."""
        certificate = self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "fullchain.pem", certificate / "privkey.pem")
        believing = ssl.create_default_context(cafile=certificate / "fullchain.pem")
        monkeypatch.setattr(client, "_context", lambda: believing)
        stopped = Event()

        def answer():
            with suppress(OSError), context.wrap_socket(server.accept()[0], server_side=True) as visitor:
                visitor.recv(4096)
                visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 102\r\n\r\n")
                for _ in range(100):
                    visitor.sendall(b" ")
                    if stopped.wait(0.01):
                        return
                visitor.sendall(b"{}")

        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = Thread(target=answer)
            thread.start()
            yield f"https://localhost:{server.getsockname()[1]}/"
            stopped.set()
            thread.join()

    def test_few_threads_wait_for_it_and_the_others_hear_so_at_once(self, monkeypatch):
        monkeypatch.setattr(client, "SLOT_TIMEOUT", 0)
        slow = replace(INSIDE, name="slow")
        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(client.at_once) as threads:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/"
            waiting = [threads.submit(client.fetch, slow, url) for _ in range(client.at_once)]
            reached = [server.accept()[0] for _ in waiting]
            with pytest.raises(ProviderError, match="Too many requests wait for"):
                client.fetch(slow, url)
            for sock in reached:
                sock.close()
        assert all(isinstance(each.exception(), ProviderError) for each in waiting)
        with pytest.raises(ProviderError, match="refused"):
            client.fetch(slow, url)


class TestKept:
    def test_what_has_just_failed_is_not_asked_for_again(self, issuer, monkeypatch):
        provider, url = replace(INSIDE, issuer=issuer.url), f"{issuer.url}/keys"
        issuer.pages["/keys"] = (500, b"")
        for cause in ("status 500", "just failed"):
            with pytest.raises(ProviderError, match=cause):
                client.cached(provider, url)
        del issuer.pages["/keys"]
        monkeypatch.setattr(client, "RETRY_AFTER", 0)
        assert client.cached(provider, url)["keys"]
        assert issuer.asked == ["/keys"] * 2

    def test_what_is_of_no_use_is_not_kept(self, issuer, monkeypatch):
        path = "/.well-known/openid-configuration"
        provider = replace(INSIDE, issuer=issuer.url)
        issuer.pages[path] = {}
        with pytest.raises(ProviderError, match="another issuer"):
            oidc.redeem(provider, ProviderFlow(), "", {}, "")
        del issuer.pages[path]
        monkeypatch.setattr(client, "RETRY_AFTER", 0)
        with pytest.raises(ProviderError, match="refused"):
            oidc.redeem(provider, ProviderFlow(), "", {}, "")


class TestSettings:
    GOOD: ClassVar = {"name": "acme", "issuer": "https://acme.example", "client_id": "us"}

    @pytest.fixture(autouse=True)
    def _secret(self, monkeypatch):
        monkeypatch.setenv("PROVIDER_ACME_SECRET", "secret")

    def read(self, monkeypatch, *given):
        monkeypatch.setenv("PROVIDERS", json.dumps(given))
        monkeypatch.setattr(settings, "PROVIDERS", environment.providers("PROVIDERS"))
        assert not [*check_providers()], "What may start is no error either."
        return registry.providers()

    def test_are_none_by_default(self, monkeypatch):
        assert self.read(monkeypatch) == []

    def test_come_from_a_file_and_the_secret_from_a_variable(self, monkeypatch, tmp_path):
        (tmp_path / "providers.json").write_text(json.dumps([self.GOOD]))
        monkeypatch.setenv("PROVIDERS", str(tmp_path / "providers.json"))
        [provider] = environment.providers("PROVIDERS")
        assert provider["client_secret"] == "secret"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": "A b"},
            {"name": "passkey"},
            {"client_secret": "in the list"},
            {"issuer": "http://acme.example"},
            {"issuer": "http://acme.example", "private_network": True},
            {"issuer": ""},
            {"issuer": "https://["},
            {"issuer": f"https://{'x' * 200}.example"},
            {"scopes": ["email"]},
            {"kind": "github", "scopes": ["read:user"]},
            {"client_id": ""},
            {"kind": "saml"},
            {"algorithm": "HS256"},
            {"algorithm": "none"},
            {"response_mode": "fragment"},
            {"trusted_for_emails": "true"},
            {"trust": True},
        ],
    )
    def test_stop_the_start_if_they_are_wrong(self, monkeypatch, wrong):
        with pytest.raises(ImproperlyConfigured, match="PROVIDERS"):
            self.read(monkeypatch, {**self.GOOD, **wrong})

    @pytest.mark.parametrize(
        ("other", "what"), [({"issuer": "https://other.example"}, "name"), ({"name": "b2"}, "issuer")]
    )
    def test_have_one_provider_of_a_name_and_of_an_issuer(self, monkeypatch, other, what):
        with pytest.raises(ImproperlyConfigured, match=f"same {what}"):
            self.read(monkeypatch, self.GOOD, {**self.GOOD, **other})

    def test_ask_github_for_what_it_needs(self, monkeypatch):
        [provider] = self.read(monkeypatch, {"name": "acme", "kind": "github", "client_id": "us"})
        assert (provider.issuer, provider.scopes) == ("https://github.com", ("read:user", "user:email"))

    def test_want_the_secret(self, monkeypatch):
        monkeypatch.delenv("PROVIDER_ACME_SECRET")
        with pytest.raises(ImproperlyConfigured, match="PROVIDER_ACME_SECRET"):
            self.read(monkeypatch, self.GOOD)

    def test_a_name_in_tokens_means_no_provider(self):
        assert set(configuration.NAMES_TAKEN) == set(RefreshToken.Method.values)
