"""An OpenID client that this site is the provider of: the code flow with PKCE, by real HTTP, and what it may not do."""

import json
import os
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from html import unescape
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener, urlopen

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PAGE = Path(__file__).resolve().parents[3] / "docs/howto/be-a-provider.md"
ORIGIN = "https://client.example"
CALLBACK = f"{ORIGIN}/callback"
SECRET = "of the client, and of nobody else"


def documented(section: str) -> dict[str, str]:
    """Return the files that the page has under this heading, for the project that the walk is in."""
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    os.environ["REQUIRE_SECOND_FACTOR_FOR"] = "staff"
    os.environ["OIDC_KEY"] = rsa.generate_private_key(65537, 2048).private_bytes(*pem).decode()
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    files = dict(re.findall(r"```python\n# harbour/(\w+)\.py\n(.*?)```", text, re.DOTALL))
    files["settings"] = files["settings"].replace("project.settings", "tests.settings")
    return {name: code.replace("harbour", "shop") for name, code in files.items()}


class Stop(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """Follow no redirect."""


class Browser:
    """Cookies, and forms as pages have them. Chromium takes loopback for secure, and this does."""

    def __init__(self, site: str) -> None:
        jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        self.site, self.opener = site, build_opener(HTTPCookieProcessor(jar), Stop())

    def open(self, url: str, form: dict[str, str] | None = None) -> Any:
        """Return the answer after all redirects within the site."""
        url = urljoin(self.site, url)
        headers = {"Referer": url}
        try:
            answer = self.opener.open(Request(url, urlencode(form).encode() if form else None, headers))
        except HTTPError as error:
            answer = error
        answer.location = answer.headers.get("Location", "")
        answer.text = answer.read().decode()
        within = answer.location and urljoin(url, answer.location)
        return self.open(within) if within.startswith(self.site) else answer

    def send(self, answer: Any, **fields: str) -> Any:
        """Send the form of this page that has all of these fields."""
        for form in re.findall(r"<form.*?</form>", answer.text, re.DOTALL):
            tags = re.findall(r"<(?:input|button)[^>]*>", form)
            found = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in tags]
            named = {each["name"]: unescape(each.get("value", "")) for each in found if "name" in each}
            if fields.keys() <= named.keys():
                hidden = {each["name"] for each in found if each.get("type") in ("hidden", "checkbox")}
                action = unescape((re.findall(r'action="([^"]*)"', form) or [""])[0])
                kept = {name: value for name, value in named.items() if name in hidden}
                return self.open(urljoin(answer.url, action), kept | fields)
        raise AssertionError(answer.text)


class Client:
    """What it knows of the provider is from its discovery document."""

    def __init__(self, issuer: str, client_id: str) -> None:
        self.about = json.load(urlopen(f"{issuer}/.well-known/openid-configuration"))
        assert self.about["issuer"] == issuer
        self.id, self.verifier, self.nonce, self.state = (
            client_id,
            token_urlsafe(48),
            token_urlsafe(8),
            token_urlsafe(8),
        )

    def asks(self, **more: str) -> str:
        challenge = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.about['authorization_endpoint']}?{urlencode(asked)}"

    def redeem(self, **form: str) -> Any:
        """Return the answer of the token endpoint, in its words, and the status."""
        basic = b64encode(f"{self.id}:{SECRET}".encode()).decode()
        body = urlencode({"redirect_uri": CALLBACK, **form}).encode()
        try:
            answer = urlopen(Request(self.about["token_endpoint"], body, {"Authorization": f"Basic {basic}"}))
        except HTTPError as error:
            answer = error
        assert "Set-Cookie" not in answer.headers
        return json.load(answer), answer.status

    def signs_in(self, answer: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the verified claims of the ID token, and all tokens."""
        assert answer.location.startswith(f"{CALLBACK}?"), (answer.location, answer.text)
        told = parse_qs(urlsplit(answer.location).query)
        assert told["state"] == [self.state]
        form = {"grant_type": "authorization_code", "code": told["code"][0]}
        assert self.redeem(**form, code_verifier="a" * 43) == ({"error": "invalid_grant"}, 400)
        tokens, _ = self.redeem(**form, code_verifier=self.verifier)
        token = tokens["id_token"]
        key = jwt.PyJWKClient(self.about["jwks_uri"]).get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key.key, algorithms=["RS256"], issuer=self.about["issuer"], audience=self.id)
        assert claims["nonce"] == self.nonce
        return claims, tokens

    def user_info(self, tokens: dict[str, str]) -> Any:
        """Return what the access token is good for, or {}."""
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        try:
            return json.load(urlopen(Request(self.about["userinfo_endpoint"], headers=bearer)))
        except HTTPError as error:
            assert error.status == 401
            return {}


@contextmanager
def serving() -> Iterator[str]:
    """Serve the project of this process; yield its URL."""
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with ThreadedWSGIServer(("127.0.0.1", 0), Quiet) as server:
        server.set_app(get_wsgi_application())
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def walk(path: str, client_id: str, grant: dict[str, str], *, tells_session: bool) -> None:
    """Somebody with a second factor signs in to the client; nobody does by a session that has ended meanwhile.

    `grant` is the button of the page that asks, `tells_session` whether ID tokens say how and when they signed in here.
    """
    from django.contrib.auth import get_user_model

    from accounts.models import SecurityEvent
    from tests.third_party.walks.people import PASSWORD
    from tests.third_party.walks.site import code_of, set_up
    from tokens.models import RefreshToken

    people = get_user_model().objects
    bob, carol = (people.create_user(name, f"{name}@example.org", PASSWORD) for name in ("bob", "carol"))
    set_up(bob)
    with serving() as site:
        client, browser = Client(f"{site}{path}", client_id), Browser(site)
        ours = json.load(urlopen(f"{site}/.well-known/openid-configuration"))
        assert ours["issuer"] == "http://testserver" and ours["jwks_uri"] != client.about["jwks_uri"]

        asked = browser.open(client.asks())
        assert urlsplit(asked.url).path == "/accounts/login/"
        asked = browser.send(asked, username="bob", password=PASSWORD)
        assert urlsplit(asked.url).path == "/accounts/second-factor/" and not RefreshToken.objects.exists()
        granting = browser.send(asked, code=code_of(bob))
        assert granting.url.startswith(client.about["authorization_endpoint"])
        assert granting.headers["Content-Security-Policy"].count(f"form-action 'self' {ORIGIN};") == 1

        row = RefreshToken.objects.for_user(bob).live().get()
        row.authenticated_at -= timedelta(hours=1)
        row.save(update_fields=["authenticated_at"])
        claims, tokens = client.signs_in(browser.send(granting, **grant))
        assert claims["sub"] == client.user_info(tokens)["sub"] == str(bob.pk)
        if tells_session:
            assert claims["auth_time"] == int(row.authenticated_at.timestamp())
            assert {"pwd", "otp", "mfa"} <= set(claims["amr"])
        else:
            assert not {"auth_time", "amr"} & claims.keys()
        again = browser.open(client.asks(prompt="login"))
        assert urlsplit(again.url).path == "/accounts/confirm/"

        granting = browser.open(client.asks())
        RefreshToken.objects.filter(pk=row.pk).update(revoked_at=row.created_at)  # elsewhere, just now
        refused = browser.send(granting, **grant)
        assert not refused.location and urlsplit(browser.open(client.asks()).url).path == "/accounts/login/"

        tokens, _ = client.redeem(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert client.user_info(tokens)["sub"] == str(bob.pk)
        SecurityEvent.objects.record(None, bob, SecurityEvent.Kind.REUSE_FOUND)
        assert client.user_info(tokens) == {}
        assert client.redeem(grant_type="refresh_token", refresh_token=tokens["refresh_token"])[1] == 400

        people.filter(pk=carol.pk).update(is_staff=True)
        asked = browser.send(browser.open(client.asks()), username="carol", password=PASSWORD)
        assert urlsplit(browser.open(client.asks()).url).path == "/accounts/security/", asked.url
