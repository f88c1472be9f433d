"""Whether an address is yours, and another one in its place."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import addresses, sign_up, throttle
from accounts.forms import AddressForm, CodeForm
from accounts.http import Request
from accounts.models import AddressProof
from accounts.proof import proved
from accounts.views.links import link_page, taken
from tokens.decorators import fresh_session_required


@login_not_required  # right after the sign-up nobody is signed in
@fresh_session_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: Request) -> HttpResponse:
    """Type the code in the browser that asked for it, or have a mail sent."""
    proof = addresses.asked(request)
    if proof is None and not request.user.is_authenticated:
        return redirect_to_login(request.path)
    if proof is None and request.user.verified_at:
        return redirect("home")
    if "again" in request.POST:
        return _write(request, proof)
    form = CodeForm(request.POST or None)
    if proof and form.is_valid() and throttle.admits(form, request, throttle.CODE, proof.address):
        try:
            confirmed = addresses.confirm_by_code(request, form.cleaned_data["code"])
            throttle.forgive(request, throttle.CODE, proof.address)
            return _confirmed(request, confirmed)
        except addresses.Refused:
            form.add_error("code", _("This code is wrong, too old, or was tried too often. You can have a new one."))
        except addresses.Taken:
            return taken(request)
    address = proof.address if proof else request.user.email
    return render(request, "accounts/email_verify.html", {"form": form, "proof": proof, "address": address})


@proved
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: Request) -> HttpResponse:
    """Another address, once it has answered."""
    form = AddressForm(request.POST if request.method == "POST" else None, user=request.user)
    if not (form.is_valid() and throttle.admits(form, request, throttle.RESEND, form.cleaned_data["email"])):
        pending = addresses.pending(request.user)
        here = pending is not None and pending == addresses.asked(request)
        return render(request, "accounts/email_change.html", {"form": form, "pending": pending, "here": here})
    addresses.ask(request, request.user, form.cleaned_data["email"])
    return redirect("email_verify")


def _write(request: Request, proof: AddressProof | None) -> HttpResponse:
    """The same mail once more, to whomever it went, or the first one of this browser."""
    address = proof.address if proof else request.user.email
    throttle.take(request, throttle.RESEND, address)
    if proof is None:
        addresses.ask(request, request.user, address)
    elif proof.user:
        addresses.ask(request, proof.user, address)
    else:
        sign_up.tell_again(request, address, addresses.name_asked(request))
    messages.success(request, _("We have written to %(address)s.") % {"address": address})
    return redirect("email_verify")


def _confirmed(request: HttpRequest, proof: AddressProof) -> HttpResponse:
    words = _("%(address)s is your address now.") if proof.previous else _("Thank you. %(address)s is confirmed.")
    messages.success(request, words % {"address": proof.address})
    return redirect("home" if request.user.is_authenticated else "login")


def _undone(request: HttpRequest, proof: AddressProof) -> HttpResponse:
    words = _(
        "%(address)s is your address again. Every session was ended, and the old password opens nothing any more: "
        "choose a new one by the link that we have just sent."
    )
    messages.success(request, words % {"address": proof.previous})
    return redirect("password_reset_done")


confirm = link_page("email_confirm", addresses.to_confirm, addresses.confirm_by_link, _confirmed)
undo = link_page("email_undo", addresses.to_undo, addresses.undo, _undone)
