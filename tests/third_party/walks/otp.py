"""django-otp: whoever has shown a second factor is verified, in this session alone."""

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person, send

SETTINGS = """
INSTALLED_APPS += ["django_otp", "django_otp.plugins.otp_static"]
MIDDLEWARE += ["django_otp.middleware.OTPMiddleware"]
LOGIN_REDIRECT_URL = "/who/"
"""
URLS = (
    fresh.URLS
    + """
from django_otp.views import LoginView
from django_otp.decorators import otp_required

urlpatterns += [
    path("second/", LoginView.as_view(template_name="admin/login.html", next_page="/verified/")),
    path("verified/", otp_required(pages.closed, login_url="/second/")),
]
"""
)


def walk() -> None:
    bob = person("bob")
    bob.staticdevice_set.create(name="codes").token_set.create(token="one-time")
    client = browser()
    log_in(client, "bob")
    assert "bob" in on(client)
    assert client.get("/verified/").headers["Location"] == "/second/?next=/verified/"
    device = f"otp_static.staticdevice/{bob.staticdevice_set.get().pk}"
    answer = send(client, "/second/", otp_device=device, otp_token="one-time")
    assert answer.headers["Location"] == "/verified/"
    assert "bob" in on(client, "/verified/")
    del client.cookies["__Host-access"]
    assert "bob" in on(client, "/verified/")
    other = browser()
    log_in(other, "bob")
    assert other.get("/verified/").status_code == 302
    carol = person("carol")
    carol.staticdevice_set.create(name="codes").token_set.create(token="another")
    device = f"otp_static.staticdevice/{carol.staticdevice_set.get().pk}"
    log_in(client, "carol", "/second/", otp_device=device, otp_token="another")
    assert "carol" in on(client, "/verified/")
