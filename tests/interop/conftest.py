"""The site, once with keys that stay, and the neighbours; each ends with the test or the tests that it was made for."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.interop import service
from tests.interop.home import Home
from tests.interop.issuer import Issuer
from tests.interop.service import Service
from tests.programs import output_of
from tests.resilience import database
from tests.resilience.server import Site

Services = dict[str, Service]
PLACES = str(2**20)


@pytest.fixture(scope="session")
def node_service(tmp_path_factory) -> Path:
    """The Node service and its packages."""
    return service.installed(service.EXAMPLES / "node_service", tmp_path_factory.mktemp("node") / "service")


@pytest.fixture(scope="session")
def beside(tmp_path_factory, node_service) -> Iterator[Callable[[str, str], Services]]:
    """`beside(issuer, alg)`: both neighbours, newly started, that take the tokens of `issuer`; by name."""
    with ExitStack() as stack:

        def beside(issuer: str, alg: str) -> Services:
            folder = tmp_path_factory.mktemp("services")
            services = {
                "fastapi": service.fastapi(folder / "fastapi.log", issuer, alg),
                "node": service.node(node_service, folder / "node.log", issuer, alg),
            }
            for each in services.values():
                stack.enter_context(closing(each))
            return services

        yield beside


@pytest.fixture(scope="session")
def settled(postgres_url, tmp_path_factory) -> Iterator[Callable[..., Home]]:
    """`settled(alg, NAME=value)`: a site with keys for `alg`. All of them have one PostgreSQL and the same people."""
    with ExitStack() as stack:
        url = stack.enter_context(database.one_more(postgres_url))
        made = Site(tmp_path_factory.mktemp("made"), url)
        passwords = json.loads(output_of("-m", "tests.interop.people", env=made.environment))

        def settled(alg: str, **environment: str) -> Home:
            home = Home(tmp_path_factory.mktemp("home"), url, passwords, alg, TOKENS_STATUS_LIST=PLACES, **environment)
            return stack.enter_context(home)

        yield settled


@pytest.fixture(scope="session")
def home(settled) -> Home:
    """A site whose keys stay; its status list is good for a second."""
    return settled("EdDSA", TOKENS_ACCESS_LIFETIME="29")


@pytest.fixture(scope="session")
def services(home, beside) -> Services:
    return beside(home.issuer, home.alg)


@pytest.fixture(params=["fastapi", "node"])
def neighbour(request, services) -> Service:
    return services[request.param]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A site of a test's own."""
    with Issuer().serving() as issuer:
        yield issuer
