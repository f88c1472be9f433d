"""Sign in with a provider, add and remove one, and have one confirm who the user is."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.email import policy as email_policy
from accounts.factors import policy
from accounts.mails.outbox import absolute_url
from accounts.models import Identity, ProviderFlow
from accounts.providers import flows, identities, oidc, registry
from accounts.providers.exceptions import OwnerMustSignIn, ProviderError
from accounts.providers.person import Person
from accounts.providers.registry import Provider
from accounts.security import carried_forms, limits, throttle
from accounts.security.next_url import own_url
from accounts.security.reauthentication import reauthenticate_by_provider, reauthentication_required
from accounts.signals import provider_asked
from accounts.types import Request
from accounts.views.sign_in import after_sign_in, is_trusted, require_verification, signed_in
from tokens.decorators import fresh_session_required, starts_or_ends_session

logger = logging.getLogger("accounts")
Purpose = ProviderFlow.Purpose
FEDERATED = "fed"  # `amr` of a sign-in elsewhere, which RFC 8176 has no value for


@login_not_required
@starts_or_ends_session
@never_cache
@sensitive_post_parameters()  # The button sends the form with the password.
@require_POST
def sign_in(request: Request, name: str) -> HttpResponse:
    """Send a visitor to a provider to sign in, or to sign up."""
    return _leave(
        request,
        _provider(name),
        Purpose.SIGN_IN,
        remember="remember" in request.POST,
        **_to_go_on_from(request),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def add(request: Request, name: str) -> HttpResponse:
    """Send a user to a provider to sign in with it from then on."""
    if request.method != "POST":
        return redirect("security")
    if not request.user.email_verified_at:
        messages.error(request, _("Confirm your email address first."))
        return redirect("security")
    return _leave(request, _provider(name), Purpose.LINK, next=reverse("security"))


@fresh_session_required
@never_cache
@require_POST
def confirm(request: Request, name: str) -> HttpResponse:
    """Send a user to a provider to confirm who they are, and then to `next`."""
    provider = _provider(name)
    if not provider.asks_anew:
        raise Http404
    return _leave(request, provider, Purpose.REAUTHENTICATE, **_to_go_on_from(request))


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def remove(request: Request, pk: int) -> HttpResponse:
    """Remove a provider that the user signs in with, after asking, unless it is the only way in."""
    identity = get_object_or_404(Identity, pk=pk, user=request.user)
    if not identities.has_other_way_in(identity):
        messages.error(request, _("This is your only way to sign in. Set a password or add a passkey first."))
        return redirect("security")
    if request.method != "POST":
        context = {"identity": identity, "provider": registry.label(identity), "back": reverse("security")}
        return render(request, "accounts/providers/remove.html", context)
    if identities.unlink(request, identity):
        messages.success(request, _("Removed."))
    return redirect("security")


@login_not_required
@fresh_session_required
@never_cache
@csrf_exempt  # A form comes from the provider; what it brings is good only in the browser that was sent there.
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def callback(request: Request, name: str) -> HttpResponse:
    """Take what a provider sends back, in the URL or in a form."""
    return _posted(request, name) if request.method == "POST" else _answered(request, name)


def _to_go_on_from(request: HttpRequest) -> dict[str, str]:
    """Return what the button of a provider has brought: the page to come back to, and a form that waits."""
    return {
        "next": own_url(request, request.POST.get("next", "")),
        "carried_form": carried_forms.checked(request.POST.get(carried_forms.FIELD, "")),
    }


def _leave(request: Request, provider: Provider, purpose: Purpose, **what_for: Any) -> HttpResponse:
    """Return a page that leads to the provider by itself.

    It is no redirect, since browsers hold every redirect after a form against the page's `form-action`, and where a
    provider leads on to is not known.
    """
    throttle.hit(request, limits.PROVIDER)
    secret = flows.start(request, provider, purpose, **what_for)
    try:
        with _counting_failures(provider):
            url = oidc.authorization_url(provider, secret, purpose, _redirect_uri(provider))
        response = render(request, "accounts/providers/leave.html", {"provider": provider, "url": url})
        response.headers["Referrer-Policy"] = "no-referrer"
    except ProviderError as error:
        flows.give_up(secret)
        response = _failed(request, provider, error)
    flows.set_cookie(request, response, secret)
    return response


def _posted(request: HttpRequest, name: str) -> HttpResponse:
    """Keep what the provider has posted, and come back with the cookie, which that request didn't bring."""
    provider = _provider(name)
    if provider.response_mode != "form_post":
        raise Http404
    flows.keep_answer(request, provider)
    return HttpResponse(status=303, headers={"Location": request.path})


@sensitive_variables()
def _answered(request: Request, name: str) -> HttpResponse:
    """Redeem the answer, and do what the flow was for."""
    provider = _provider(name)
    try:
        flow, secret, answer = flows.take(request, provider)
        with _counting_failures(provider):
            person = oidc.redeem(provider, flow, secret, answer, _redirect_uri(provider))
        provider_asked.send(Provider, name=provider.name, outcome="accepted")
        response = _ACTS[Purpose(flow.purpose)](request, provider, flow, person)
    except ProviderError as error:
        return _failed(request, provider, error)
    if flow.purpose != Purpose.SIGN_IN:
        flows.forget(request, response)
    return response


def _sign_in(request: Request, provider: Provider, flow: ProviderFlow, person: Person) -> HttpResponse:
    try:
        user = identities.find_or_sign_up(request, provider, person)
    except OwnerMustSignIn:
        if request.user.is_authenticated:
            raise
        identities.offer(flow, provider, person)
        return redirect("login")
    throttle.hit(request, limits.PROVIDER_SIGNED_IN, user)
    if not email_policy.can_sign_in(user):
        throttle.hit(request, limits.RESEND, user.email)
        return require_verification(request, user, flow.carried_form)
    trusted = is_trusted(request, user)
    tokens = request.tokens
    tokens.method, tokens.remember = provider.name, flow.remember
    tokens.amr, tokens.acr = (FEDERATED, *person.amr, *([policy.TRUSTED] if trusted else [])), person.acr
    login(request, user, settings.AUTHENTICATION_BACKENDS[0])
    return signed_in(request, after_sign_in(request.user, own_url(request, flow.next)), carried_form=flow.carried_form)


def _link(request: Request, provider: Provider, flow: ProviderFlow, person: Person) -> HttpResponse:
    _check_session(request, flow)
    identities.link(request, provider, person)
    messages.success(request, _("You can now sign in with %(provider)s.") % {"provider": provider})
    return redirect("security")


def _reauthenticate(request: Request, provider: Provider, flow: ProviderFlow, person: Person) -> HttpResponse:
    _check_session(request, flow)
    if not identities.is_of(request.user, provider, person):
        text = _("That's not the %(provider)s account that you sign in with.") % {"provider": provider}
        raise ProviderError("The account is another one.", text)
    if not reauthenticate_by_provider(request, provider.name, (FEDERATED, *person.amr), person.acr):
        raise ProviderError("A second factor is required.")
    url = own_url(request, flow.next) or reverse("security")
    page = flow.carried_form and carried_forms.resume(request, flow.carried_form, url, confirmed=True)
    return page or redirect(url)


_ACTS = {Purpose.SIGN_IN: _sign_in, Purpose.LINK: _link, Purpose.REAUTHENTICATE: _reauthenticate}


def _check_session(request: Request, flow: ProviderFlow) -> None:
    """Refuse an answer that was asked for in another session, or whose user is shown somebody else's pages since."""
    row = request.tokens.row
    if row is None or row.pk != flow.session_id or row.user_id != request.user.pk:
        raise ProviderError("Another session has asked.")


@contextmanager
def _counting_failures(provider: Provider) -> Iterator[None]:
    """Count a failure as the provider's, unless the visitor is told a reason, such as that they cancelled."""
    try:
        yield
    except ProviderError as error:
        provider_asked.send(Provider, name=provider.name, outcome="refused" if error.sentence else "failed")
        raise


def _failed(request: HttpRequest, provider: Provider, error: ProviderError) -> HttpResponse:
    """Say that it didn't work, and log why. The cookie stays: another tab may need it."""
    about = {"kind": "provider_failed", "provider": provider.name, "cause": str(error)}
    logger.warning("Signing in with a provider has failed.", extra=about)
    text = _("Signing in with %(provider)s didn't work. Please try again.") % {"provider": provider}
    messages.error(request, error.sentence or text)
    return redirect("security" if request.user.is_authenticated else "login")


def _provider(name: str) -> Provider:
    provider = registry.find(name)
    if provider is None:
        raise Http404
    return provider


def _redirect_uri(provider: Provider) -> str:
    """Return the one URL of this provider: an answer that another one sends there is refused."""
    return absolute_url("provider_callback", name=provider.name)
