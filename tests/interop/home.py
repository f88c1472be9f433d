"""The site that the neighbours live beside: the production server with public keys."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from tests.programs import output_of
from tests.resilience.server import Server, Site
from tokens.core import keyfile, keys

CHECK_EVERY = 0.5  # seconds; twenty in production


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: Any

    @property
    def challenge(self) -> str | None:
        return self.headers["WWW-Authenticate"]


def ask(port: int, path: str, token: str = "", *, method: str = "GET", body: object = None) -> Answer:
    """What the program on `port` of this machine answers, over a connection of its own."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
    return Answer(response.status, response.headers, json.loads(text) if text else None)


class Home(Site):
    """The site with keys for `alg`; its issuer is where it is really to be found. `passwords` are people's, by name."""

    def __init__(
        self, folder: Path, database_url: str, passwords: dict[str, str], alg: str, **environment: str
    ) -> None:
        self.passwords, self.alg, self.file = passwords, alg, folder / "keys.json"
        keyfile.write(self.file, {"keys": [keys.generate_jwk(alg, keys.NEXT), keys.generate_jwk(alg)]})
        settings = {"DJANGO_SETTINGS_MODULE": "tests.interop.settings", "TOKENS_KEYS": str(self.file)}
        super().__init__(folder, database_url, **settings, **environment)
        self.server = Server(self, preload=False)
        self.servers.append(self.server)
        self.issuer = self.environment["TOKENS_ISSUER"] = f"http://127.0.0.1:{self.server.port}"
        self.server.start()

    def tokenkeys(self, *arguments: str) -> None:
        output_of("manage.py", "tokenkeys", *arguments, env=self.environment)

    def key(self, state: str = keys.CURRENT) -> keys.Jwk:
        """The private key that is in `state`, by the file."""
        (key,) = (entry for entry in keyfile.read(self.file)["keys"] if entry["state"] == state)
        return key

    def ask(self, path: str, token: str = "", *, method: str = "POST", body: object = None) -> Any:
        """The decoded answer of the API, which has to be a good one."""
        answer = ask(self.server.port, f"/api/{path}", token, method=method, body=body)
        assert answer.status in (200, 204), answer
        return answer.body

    def sign_in(self, name: str) -> dict[str, str]:
        """A pair of tokens: `access_token` and `refresh_token`."""
        return self.ask("auth/login", body={"username": name, "password": self.passwords[name]})
