import pytest
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from tokens import cookies

NAME = "__Host-access"


@pytest.fixture
def wsgi():
    """`wsgi(header)`: a request as a WSGI server hands it over, each octet of the Cookie header one character."""

    def wsgi(header):
        octets = header if isinstance(header, bytes) else header.encode()
        return RequestFactory().get("/", HTTP_COOKIE=octets.decode("latin-1"))

    return wsgi


@pytest.fixture
def asgi():
    """`asgi(*headers)`: a request as an ASGI server hands it over; HTTP/2 sends several Cookie headers."""

    def asgi(*headers, name=b"cookie"):
        octets = [header if isinstance(header, bytes) else header.encode() for header in headers]
        scope = AsyncRequestFactory()._base_scope(path="/")
        others = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
        return ASGIRequest({**scope, "headers": [*others, *((name, value) for value in octets)]}, None)

    return asgi


@pytest.fixture(params=["wsgi", "asgi"])
def arrived(request):
    return request.getfixturevalue(request.param)


STRAY = {
    "U+2000": "\u2000",
    "U+00A0": "\u00a0",
    "U+3000": "\u3000",
    "U+0085": "\u0085",
    "U+1680": "\u1680",
    "U+2028": "\u2028",
    "U+FEFF": "\ufeff",
    "U+200B": "\u200b",
    "Latin-1 no-break space": b"\xa0",
    "Latin-1 next line": b"\x85",
    "tab": "\t",
    "vertical tab": "\v",
    "form feed": "\f",
    "file separator": "\x1c",
    "unit separator": "\x1f",
    "NUL": "\0",
    "quote": '"',
    "comma": ",",
    "dollar": "$",
}
octets = [pytest.param(text if isinstance(text, bytes) else text.encode(), id=name) for name, text in STRAY.items()]


class TestRead:
    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("__Host-access=x", "x"),
            ("a=b; __Host-access=x; c=d", "x"),
            ("a=b;__Host-access=x;c=d", "x"),
            ("a=b;   __Host-access=x", "x"),
            ("__Host-refresh=y; __Host-access=x", "x"),
            ("__Host-access=a=b==", "a=b=="),
            ("bare; __Host-access=x; ; ;", "x"),
            ("Zoë=Zoë; __Host-access=x", "x"),
            ('shop="a; b"; __Host-access=x', "x"),
            ("__Host-access= x", " x"),
            ('__Host-access="x"', '"x"'),
            ("__Host-access=x ", "x "),
        ],
    )
    def test_one_cookie_by_exactly_this_name_is_given_as_it_came(self, arrived, header, value):
        assert cookies.read(arrived(header), NAME) == value

    @pytest.mark.parametrize(
        "header",
        [
            "",
            ";",
            "a=b",
            "__Host-access",
            "__Host-access=",
            "=__Host-access",
            "=x",
            "__Host-access =x",
            "__host-access=x",
            "__HOST-ACCESS=x",
            "__Host-Access=x",
            "_Host-access=x",
            "Host-access=x",
            "access=x",
            "__Host-access2=x",
            "x__Host-access=x",
            "__Host-access%20=x",
            "__Host%2Daccess=x",
            "__Host\u2010access=x",
            'a="b, __Host-access=x"',
            "a=b, __Host-access=x",
            "a=b&__Host-access=x",
            "a=b\n__Host-access=x",
        ],
    )
    def test_any_other_name_is_none(self, arrived, header):
        assert cookies.read(arrived(header), NAME) is None

    @pytest.mark.parametrize(
        "header",
        [
            "__Host-access=x; __Host-access=y",
            "__Host-access=x; __Host-access=x",
            "__Host-access=x; a=b; __Host-access=",
            "__Host-access=; __Host-access=x",
            "__Host-access; __Host-access=x",
            'a="; __Host-access=y; "; __Host-access=x',
        ],
    )
    def test_two_of_one_name_are_none(self, arrived, header):
        assert cookies.read(arrived(header), NAME) is None

    @pytest.mark.parametrize("stray", octets)
    def test_a_stray_octet_beside_the_name_makes_it_another_name(self, arrived, stray):
        assert cookies.read(arrived(stray + b"__Host-access=x"), NAME) is None
        assert cookies.read(arrived(b"a=b; " + stray + b"__Host-access=x"), NAME) is None
        assert cookies.read(arrived(b"__Host-access" + stray + b"=x"), NAME) is None
        assert cookies.read(arrived(b"__Host-" + stray + b"access=x"), NAME) is None

    @pytest.mark.parametrize("stray", octets)
    def test_a_forged_prefix_does_not_harm_the_real_cookie(self, arrived, stray):
        header = b"__Host-access=real; " + stray + b"__Host-access=forged"
        assert cookies.read(arrived(header), NAME) == "real"

    def test_a_header_of_a_megabyte_is_read(self, arrived):
        assert cookies.read(arrived("a=b; " * 200_000 + "__Host-access=x"), NAME) == "x"
        assert cookies.read(arrived("__Host-access=" + "x" * 1_000_000), NAME) == "x" * 1_000_000

    def test_without_the_header_there_is_none(self):
        assert cookies.read(RequestFactory().get("/"), NAME) is None
        assert cookies.read(AsyncRequestFactory().get("/"), NAME) is None

    def test_several_headers_are_one_list_of_cookies(self, asgi):
        assert cookies.read(asgi("a=b", "__Host-access=x", "c=d"), NAME) == "x"

    def test_two_of_one_name_in_two_headers_are_none(self, asgi):
        assert cookies.read(asgi("__Host-access=x", "__Host-access=y"), NAME) is None

    def test_the_name_of_the_header_has_no_case(self, asgi):
        assert cookies.read(asgi("__Host-access=x", name=b"Cookie"), NAME) == "x"

    def test_no_other_header_is_read(self, asgi):
        assert cookies.read(asgi("__Host-access=x", name=b"cookie2"), NAME) is None
        assert cookies.read(asgi("__Host-access=x", name=b"x-cookie"), NAME) is None


class TestWhyNotDjangosOwn:
    """The attack: a neighbour on the domain may not set `__Host-access`, but may set these."""

    def test_a_unicode_space_before_the_name_forges_the_prefix(self, wsgi):
        assert wsgi("\u2000__Host-access=forged").COOKIES[NAME] == "forged"

    def test_and_it_wins_over_the_real_one(self, wsgi):
        assert wsgi("__Host-access=real; \u2000__Host-access=forged").COOKIES[NAME] == "forged"

    def test_several_headers_lose_cookies(self, asgi):
        assert asgi("a=b", "__Host-access=x").COOKIES.get(NAME) != "x"


class TestWrite:
    @pytest.fixture
    def written(self):
        def written(**options):
            response = HttpResponse()
            cookies.write(response, **{"access": "A", "refresh": "R", "max_age": None} | options)
            return sorted(morsel.OutputString() for morsel in response.cookies.values())

        return written

    def test_both_are_host_only_secure_and_out_of_the_reach_of_scripts(self, written):
        assert written() == [
            "__Host-access=A; HttpOnly; Path=/; SameSite=Lax; Secure",
            "__Host-refresh=R; HttpOnly; Path=/; SameSite=Lax; Secure",
        ]

    def test_a_sign_in_that_is_kept_outlives_the_browser_by_its_refresh_cookie_alone(self, written):
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
    @pytest.mark.parametrize(("secure", "prefix", "end"), [(True, "__Host-", "; Secure"), (False, "", "")])
    def test_both_go_with_the_attributes_that_they_were_set_with(self, settings, secure, prefix, end):
        settings.TOKENS_COOKIE_SECURE = secure
        response = HttpResponse()
        cookies.delete(response)
        told = ["domain", "httponly", "max-age", "path", "samesite", "secure"]
        gone = '""; HttpOnly; Max-Age=0; Path=/; SameSite=Lax' + end
        assert sorted(morsel.OutputString(told) for morsel in response.cookies.values()) == [
            f"{prefix}access={gone}",
            f"{prefix}refresh={gone}",
        ]


class TestNames:
    @pytest.mark.parametrize(
        ("secure", "names"), [(True, ("__Host-access", "__Host-refresh")), (False, ("access", "refresh"))]
    )
    def test_the_prefix_comes_with_secure(self, settings, secure, names):
        settings.TOKENS_COOKIE_SECURE = secure
        assert (cookies.access_name(), cookies.refresh_name()) == names
