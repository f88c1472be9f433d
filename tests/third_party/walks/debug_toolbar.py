"""django-debug-toolbar: beside each page, with its panels of the request and of queries."""

import re

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person

SETTINGS = """
INSTALLED_APPS += ["debug_toolbar"]
MIDDLEWARE.insert(0, "debug_toolbar.middleware.DebugToolbarMiddleware")
INTERNAL_IPS = ["127.0.0.1"]
"""
URLS = (
    fresh.URLS
    + """
from debug_toolbar.toolbar import debug_toolbar_urls
urlpatterns += debug_toolbar_urls()
"""
)


def walk() -> None:
    from django.conf import settings

    settings.DEBUG = True  # Django's test client does not mind, the toolbar does
    person("bob")
    bob = browser()
    log_in(bob, "bob")
    on(bob)  # asks what is revoked
    page = on(bob)
    assert "bob" in page and "djDebug" in page
    [request] = re.findall(r'data-request-id="(\w+)"', page)
    assert "__Host-access" in panel(bob, request, "RequestPanel")
    assert "0 queries in 0.00ms" in page
    del bob.cookies["__Host-access"]
    page = on(bob)
    [request] = re.findall(r'data-request-id="(\w+)"', page)
    assert "tokens_refreshtoken" in panel(bob, request, "SQLPanel")


def panel(client, request: str, name: str) -> str:
    response = client.get("/__debug__/render_panel/", {"request_id": request, "panel_id": name})
    assert response.status_code == 200
    return response.json()["content"]
