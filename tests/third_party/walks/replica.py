"""Django's documented router, and a replica that is seconds behind: whatever is decided, it is not asked."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from tests.third_party.walks.people import PASSWORD, browser, log_in, on, person, post, send

SETTINGS = """
import os

DATABASES = {
    alias: {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": host}
    for alias, host in (("default", os.environ["PRIMARY"]), ("replica", os.environ["REPLICA"]))
}
DATABASE_ROUTERS = ["tests.third_party.walks.replica.PrimaryReplicaRouter"]
TOKENS_REVOCATION_LAG = 0
"""
URLS = """
from django.contrib.auth import views
from tests.third_party.walks import pages

urlpatterns += [
    path("accounts/login/", views.LoginView.as_view(template_name="admin/login.html", next_page="/who/")),
    path("accounts/logout/", views.LogoutView.as_view(next_page="/who/")),
    path("who/", pages.who),
]
"""


class PrimaryReplicaRouter:
    def db_for_read(self, model: type, **hints: object) -> str:
        return "replica"

    def db_for_write(self, model: type, **hints: object) -> str:
        return "default"

    def allow_relation(self, *objects: object, **hints: object) -> bool:
        return True


def walk() -> None:
    people = {name: person(name, admin=name == "alice") for name in ("alice", "bob")}
    replica_has_heard_of(people.values())
    ends = [log_out, lambda _: revoke_for(people["bob"]), lambda _: command("bob"), lambda _: by_the_admin()]
    heard = [replica_heard_of_session(end) for end in [*ends, lambda _: deactivate(people["bob"])]]
    assert not all(heard)  # it does lag
    another_password()


def replica_has_heard_of(people: Any) -> None:
    from django.db import ProgrammingError

    until = monotonic() + 60
    while True:
        try:
            for each in people:
                each.refresh_from_db(using="replica")
            return
        except (ProgrammingError, type(each).DoesNotExist):
            assert monotonic() < until
            sleep(0.2)


def replica_heard_of_session(end: Callable[[Any], None]) -> bool:
    """Bob signs in, goes on, and is out once `end` has ended it. Whether the replica knew of the session by then."""
    from tokens.models import RefreshToken

    bob = browser()
    assert log_in(bob, "bob").headers["Location"] == "/who/"
    assert {"__Host-access", "__Host-refresh"} <= bob.cookies.keys()
    copy = browser()
    copy.cookies.update(bob.cookies)
    row = RefreshToken.objects.using("default").latest("created_at")
    assert "bob" in on(bob)
    del bob.cookies["__Host-access"]
    assert "bob" in on(bob)
    end(bob)
    assert "nobody" in on(copy)
    row.refresh_from_db(using="default")
    assert row.reason
    return RefreshToken.objects.using("replica").filter(pk=row.pk).exists()


def log_out(bob: Any) -> None:
    assert post(bob, "/accounts/logout/").headers["Location"] == "/who/"


def revoke_for(bob: Any) -> None:
    from tokens.models import RefreshToken

    assert RefreshToken.objects.revoke_for([bob], "ended") == 1


def command(name: str) -> None:
    from django.core.management import call_command

    call_command("endsessions", user=name, verbosity=0)


def by_the_admin() -> None:
    from tokens.models import RefreshToken

    row = RefreshToken.objects.using("default").latest("created_at")
    alice = browser()
    assert log_in(alice, "alice", "/admin/login/", next="/admin/").headers["Location"] == "/admin/"
    fields = {"action": "end_sessions", "_selected_action": [row.pk], "confirmed": "yes"}
    assert send(alice, "/admin/tokens/refreshtoken/", **fields).status_code == 302


def another_password() -> None:
    """Alice goes on where she gave it, and nowhere else."""
    here, there = browser(), browser()
    for each in (here, there):
        log_in(each, "alice", "/admin/login/", next="/admin/")
    new = "another horse battery"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert send(here, "/admin/password_change/", **fields).status_code == 302
    assert "alice" in on(here)
    assert "nobody" in on(there)


def deactivate(bob: Any) -> None:
    bob.is_active = False
    bob.save(using="default")
