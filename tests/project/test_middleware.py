import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from project.middleware import SiteMiddleware
from tests.security.wire import Wsgi


@pytest.fixture
def address(settings):
    """`address(hops, forwarded)` is what the site takes for the visitor's address; the socket's is 10.0.0.1."""

    def address(hops, forwarded=None):
        settings.TRUSTED_PROXIES = hops
        extra = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
        request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **extra)
        SiteMiddleware(lambda request: HttpResponse())(request)
        return request.META["REMOTE_ADDR"]

    return address


class TestHead:
    def answer(self, method, response):
        return SiteMiddleware(lambda request: response)(RequestFactory().generic(method, "/"))

    def test_has_the_headers_of_get_and_no_body(self):
        response = self.answer("HEAD", HttpResponse("four", headers={"X-Same": "yes"}))
        assert (response.content, response.headers["Content-Length"], response.headers["X-Same"]) == (b"", "4", "yes")
        assert self.answer("GET", HttpResponse("four")).content == b"four"

    def test_a_length_that_is_known_stays(self):
        response = self.answer("HEAD", HttpResponse(headers={"Content-Length": "40"}))
        assert response.headers["Content-Length"] == "40"

    def test_a_stream_is_left_to_the_server(self):
        assert self.answer("HEAD", StreamingHttpResponse([b"four"])).streaming

    @pytest.mark.django_db
    @pytest.mark.parametrize("url", ["/", "/api/me", "/.well-known/jwks.json", "/nowhere/"])
    def test_pages_and_the_api_answer_alike(self, url):
        head, get = (Wsgi().ask(method, url, b"", b"", {}) for method in ("HEAD", "GET"))
        assert head.status == get.status
        assert (head.body, head.header("Content-Length")) == (b"", str(len(get.body)))


class TestClientAddress:
    @pytest.mark.parametrize(
        ("hops", "forwarded", "taken"),
        [
            (0, "192.0.2.7", "10.0.0.1"),
            (1, "203.0.113.9, 192.0.2.7", "192.0.2.7"),  # the proxy wrote the last entry
            (2, "203.0.113.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"),  # of two, the outer one wrote the visitor
            (2, "192.0.2.7", "10.0.0.1"),  # it passed fewer proxies than there are
            (2, None, "10.0.0.1"),
        ],
    )
    def test_is_the_one_that_the_outermost_trusted_proxy_saw(self, address, hops, forwarded, taken):
        assert address(hops, forwarded) == taken

    @pytest.mark.parametrize(
        ("entry", "bare"),
        [
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:DB8::7]:443", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            (" 2001:db8::7 ", "2001:db8::7"),
            ("unknown", ""),
            ("192.0.2.7\r\nX: y", ""),
            ("999.1.1.1", ""),
            ("", ""),
        ],
    )
    def test_an_entry_is_cleaned_and_what_is_no_address_counts_as_none(self, address, entry, bare):
        assert address(1, entry) == bare


@pytest.mark.django_db
def test_a_request_without_a_message_makes_no_signer_for_one(client):
    assert "signer" not in vars(client.get("/accounts/login/").wsgi_request._messages)
