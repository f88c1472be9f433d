import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from project.middleware import ClientIPMiddleware, ResponseHeadersMiddleware
from tests.security.wire import Wsgi


@pytest.fixture
def address(settings):
    """`address(hops, forwarded)` is what the site takes for the visitor's address; the socket's is 10.0.0.1."""

    def address(hops, forwarded=None):
        settings.TRUSTED_PROXIES = hops
        extra = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
        request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **extra)
        ClientIPMiddleware(lambda request: HttpResponse())(request)
        return request.META["REMOTE_ADDR"]

    return address


class TestResponseHeaders:
    def answer(self, method, response):
        return ResponseHeadersMiddleware(lambda request: response)(RequestFactory().generic(method, "/"))

    def test_head_has_the_headers_of_get_and_no_body(self):
        response = self.answer("HEAD", HttpResponse("four", headers={"X-Same": "yes"}))
        assert (response.content, response.headers["Content-Length"]) == (b"", "4")
        assert response.headers["X-Same"] == "yes"

    def test_a_length_that_is_known_stays(self):
        response = self.answer("HEAD", HttpResponse(headers={"Content-Length": "40"}))
        assert response.headers["Content-Length"] == "40"

    def test_get_keeps_its_body(self):
        assert self.answer("GET", HttpResponse("four")).content == b"four"

    def test_a_stream_is_left_to_the_server(self):
        assert self.answer("HEAD", StreamingHttpResponse([b"four"])).streaming

    @pytest.mark.django_db
    @pytest.mark.parametrize("url", ["/", "/api/", "/api/public", "/api/me", "/.well-known/jwks.json", "/nowhere/"])
    def test_pages_and_the_api_answer_alike(self, url):
        head, get = (Wsgi().ask(method, url, b"", b"", {}) for method in ("HEAD", "GET"))
        assert head.status == get.status
        assert (head.body, head.header("Content-Length")) == (b"", str(len(get.body)))


class TestClientAddress:
    def test_without_a_proxy_the_header_is_ignored(self, address):
        assert address(0, "192.0.2.7") == "10.0.0.1"

    def test_one_proxy_wrote_the_last_entry(self, address):
        assert address(1, "203.0.113.9, 192.0.2.7") == "192.0.2.7"

    def test_of_two_proxies_the_outer_one_wrote_the_visitor(self, address):
        assert address(2, "203.0.113.9, 192.0.2.7, 10.0.0.2") == "192.0.2.7"

    def test_a_request_that_passed_fewer_proxies_keeps_the_address_of_its_socket(self, address):
        assert address(2, "192.0.2.7") == "10.0.0.1"

    def test_a_request_without_the_header_keeps_the_address_of_its_socket(self, address):
        assert address(2) == "10.0.0.1"

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
