"""What people, administrators and operators do to sign-ins and accounts, and what the world then knows of it."""

from __future__ import annotations

from django.conf import settings
from django.db.models.functions import Now

from tests.stateful.browsers import Browser
from tests.stateful.people import Person, fresh
from tests.stateful.world import CHANGE_PASSWORD, LOG_IN, LOG_OUT, World
from tokens.models import RefreshToken

Reason = RefreshToken.Reason


def sign_in(world: World, browser: Browser, person: Person, kept: bool) -> None:
    before = browser.jar.sids
    form = {"username": person.name, "password": person.password} | ({"remember": "on"} if kept else {})
    response = world.ask(browser.jar, LOG_IN, form)
    assert (response.status_code == 200) == person.is_active
    if person.is_active:
        world.over |= before
        world.opened(browser, response, person)


# In a browser.


def log_out(world: World, browser: Browser) -> None:
    world.over |= browser.jar.sids
    browser.take(world.ask(browser.jar, LOG_OUT, {}).cookies, world.now)
    assert not browser.jar.sids
    world.lose_messages(browser, answered=True)


def change_password(world: World, browser: Browser) -> None:
    person, password = world.owner(world.row(browser.jar)), fresh("password")
    before = person.sids if person else set()
    response = world.ask(browser.jar, CHANGE_PASSWORD, {"password": password})
    if person and response.status_code == 200:
        world.over |= before
        person.password = password
        world.opened(browser, response, person)


def end_others(world: World, browser: Browser) -> None:
    if person := world.owner(world.row(browser.jar)):
        person.rows.exclude(pk=browser.jar.sid).revoke(Reason.ENDED)
        world.over |= person.sids - browser.jar.sids


def end_in_another_process(world: World, browser: Browser) -> None:
    RefreshToken.objects.filter(pk=browser.jar.sid).update(revoked_at=Now(), changed_at=Now(), reason=Reason.ENDED)
    world.over |= browser.jar.sids
    world.unheard |= browser.jar.sids


def sign_in_again(world: World, browser: Browser) -> None:
    """As whoever it is that is first: the sign-in that is there is replaced."""
    if not browser.thief:
        sign_in(world, browser, world.people[0], kept=True)


# To an account: so that Django's signals tell of it, or behind its back.


def end_all(world: World, person: Person) -> None:
    RefreshToken.objects.revoke_for([person.user()], Reason.ADMIN)
    world.over |= person.sids


def reset_password(world: World, person: Person) -> None:
    world.over |= person.sids
    person.set_password(fresh("password"))


def reset_password_behind(world: World, person: Person) -> None:
    person.set_password(fresh("password"), behind=True)


def deactivate(world: World, person: Person) -> None:
    world.over |= person.sids
    person.activate(False)


def deactivate_behind(world: World, person: Person) -> None:
    person.activate(False, behind=True)


def reactivate(world: World, person: Person) -> None:
    person.activate(True)


def rename(world: World, person: Person) -> None:
    person.rename()


def delete(world: World, person: Person) -> None:
    world.over |= person.sids
    person.user().delete()
    world.people = [Person.new() if one is person else one for one in world.people]


# To the site.


def back_up(world: World) -> None:
    world.back_up()


def restore(world: World) -> None:
    world.restore()


def another_process(world: World) -> None:
    world.hear()


def rotate_keys(world: World) -> None:
    """The machine undoes it."""
    if len(settings.SECRET_KEY_FALLBACKS) < 3:
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        settings.SECRET_KEY = fresh("key") * 10
