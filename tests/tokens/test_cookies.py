import pytest
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from tokens import cookies

NAME = "__Host-access"


def octets(header):
    return header if isinstance(header, bytes) else header.encode()


def wsgi(header):
    """A request as a WSGI server hands it over, each octet of the Cookie header one character."""
    return RequestFactory().get("/", HTTP_COOKIE=octets(header).decode("latin-1"))


def asgi(*headers, name=b"cookie"):
    """A request as an ASGI server hands it over; HTTP/2 sends several Cookie headers."""
    scope = AsyncRequestFactory()._base_scope(path="/")
    others = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
    return ASGIRequest({**scope, "headers": [*others, *((name, octets(header)) for header in headers)]}, None)


@pytest.fixture(params=[wsgi, asgi])
def arrived(request):
    return request.param


class TestRead:
    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("a=b;__Host-access=x; c=d", "x"),
            ("bare; ;   __Host-access=x", "x"),
            ("__Host-access=a=b==", "a=b=="),
            ('__Host-access= "x" ', ' "x" '),
        ],
    )
    def test_one_cookie_by_exactly_this_name_is_given_as_it_came(self, header, value):
        assert cookies.read_all(wsgi(header)).get(NAME) == value

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "__Host-access",
            "__Host-access=",
            "__HOST-access=x",
            "access=x",
            "__Host%2Daccess=x",
            "a=b, __Host-access=x",
        ],
    )
    def test_any_other_name_is_none(self, header):
        assert cookies.read_all(wsgi(header)).get(NAME) is None

    @pytest.mark.parametrize(
        "header",
        [
            "__Host-access=x; __Host-access=y",
            "__Host-access=; __Host-access=x",
            "__Host-access=x; a=b; __Host-access",
            'a="; __Host-access=y; "; __Host-access=x',
        ],
    )
    def test_two_of_one_name_are_none(self, header):
        assert cookies.read_all(wsgi(header)).get(NAME) is None

    @pytest.mark.parametrize("stray", ["\u2000", b"\xa0", b"\x85", "\t", "\x1f", "\0", '"'], ids=repr)
    def test_a_stray_octet_beside_the_name_makes_it_another_name(self, arrived, stray):
        """Django strips some of them, and would take the neighbour's cookie for the real one."""
        stray = octets(stray)
        for header in (
            stray + b"__Host-access=x",
            b"a=b; " + stray + b"__Host-access=x",
            b"__Host-access" + stray + b"=x",
        ):
            assert cookies.read_all(arrived(header)).get(NAME) is None
        assert cookies.read_all(arrived(b"__Host-access=real; " + stray + b"__Host-access=forged")).get(NAME) == "real"

    def test_without_the_header_there_is_none(self):
        assert cookies.read_all(RequestFactory().get("/")).get(NAME) is None
        assert cookies.read_all(AsyncRequestFactory().get("/")).get(NAME) is None

    def test_several_headers_are_one_list_of_cookies(self):
        assert cookies.read_all(asgi("a=b", "__Host-access=x", "c=d")).get(NAME) == "x"
        assert cookies.read_all(asgi("__Host-access=x", "__Host-access=y")).get(NAME) is None

    def test_the_name_of_the_header_has_no_case_and_no_other_is_read(self):
        assert cookies.read_all(asgi("__Host-access=x", name=b"Cookie")).get(NAME) == "x"
        assert cookies.read_all(asgi("__Host-access=x", name=b"x-cookie")).get(NAME) is None


class TestWrite:
    @pytest.fixture
    def written(self):
        def written(**options):
            response = HttpResponse()
            cookies.write_tokens(response, **{"access": "A", "refresh": "R", "max_age": None} | options)
            return sorted(morsel.OutputString() for morsel in response.cookies.values())

        return written

    def test_both_are_host_only_secure_and_out_of_the_reach_of_scripts(self, written):
        assert written() == [
            "__Host-access=A; HttpOnly; Path=/; SameSite=Lax; Secure",
            "__Host-refresh=R; HttpOnly; Path=/; SameSite=Lax; Secure",
        ]

    def test_a_session_to_be_remembered_outlives_the_browser_by_its_refresh_cookie_alone(self, written):
        access, refresh = written(max_age=600)
        assert access == "__Host-access=A; HttpOnly; Path=/; SameSite=Lax; Secure"
        assert "; Max-Age=600; " in refresh
        assert "; expires=" in refresh

    def test_without_a_new_refresh_token_its_cookie_is_left_alone(self, written):
        assert written(refresh=None) == ["__Host-access=A; HttpOnly; Path=/; SameSite=Lax; Secure"]

    def test_over_plain_http_the_prefix_and_secure_go_and_the_rest_stays(self, settings, written):
        settings.TOKENS_COOKIE_SECURE = False
        assert written() == ["access=A; HttpOnly; Path=/; SameSite=Lax", "refresh=R; HttpOnly; Path=/; SameSite=Lax"]


class TestDelete:
    def test_all_go_with_the_attributes_that_they_were_set_with(self):
        response = HttpResponse()
        cookies.delete(response, "access", "refresh", "reauth")
        gone = '""; expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Max-Age=0; Path=/; SameSite=Lax; Secure'
        assert sorted(morsel.OutputString() for morsel in response.cookies.values()) == [
            f"__Host-access={gone}",
            f"__Host-reauth={gone}",
            f"__Host-refresh={gone}",
        ]
