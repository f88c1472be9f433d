"""Four settings, and Django's own log-in view and admin."""

from tests.third_party.walks.people import PASSWORD, browser, log_in, on, person, post, send

URLS = """
from django.contrib.auth import views
from django.urls import include
from tests.third_party.walks import pages

urlpatterns += [
    path("accounts/login/", views.LoginView.as_view(template_name="admin/login.html", next_page="/who/")),
    path("accounts/logout/", views.LogoutView.as_view(next_page="/who/")),
    path("who/", pages.who),
    path("closed/", pages.closed),
    path("basket/", pages.basket),
]
"""


def walk() -> None:
    person("alice", admin=True)
    person("bob")
    the_log_in_view()
    the_admin()


def the_log_in_view() -> None:
    from django.contrib.sessions.models import Session

    from tokens.models import RefreshToken

    bob = browser()
    assert bob.get("/closed/").headers["Location"] == "/accounts/login/?next=/closed/"
    assert log_in(bob, "bob").headers["Location"] == "/who/"
    assert {"__Host-access", "__Host-refresh"} <= bob.cookies.keys()
    assert "bob" in on(bob)
    assert not Session.objects.exists()
    del bob.cookies["__Host-access"]
    assert "bob" in on(bob, "/closed/")
    assert post(bob, "/basket/", basket="apples").content == b"apples"
    assert on(bob, "/basket/") == "apples"
    assert post(bob, "/accounts/logout/").headers["Location"] == "/who/"
    assert "nobody" in on(bob) and on(bob, "/basket/") == "empty"
    assert RefreshToken.objects.get().reason == "signed_out"


def the_admin() -> None:
    from django.contrib.auth.models import User

    alice = browser()
    assert log_in(alice, "alice", "/admin/login/", next="/admin/").headers["Location"] == "/admin/"
    assert "Log out" in on(alice, "/admin/")
    bob = User.objects.get(username="bob")
    form = {"username": "bob", "first_name": "Bob", "is_active": "on"}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    assert send(alice, f"/admin/auth/user/{bob.pk}/change/", **form).status_code == 302
    bob.refresh_from_db()
    assert bob.first_name == "Bob"
    assert "alice" in on(alice, "/admin/tokens/refreshtoken/")
    new = "another horse battery"
    changed = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert send(alice, "/admin/password_change/", **changed).status_code == 302
    assert "Log out" in on(alice, "/admin/")
    assert post(alice, "/admin/logout/").status_code == 200
    assert alice.get("/admin/").status_code == 302
