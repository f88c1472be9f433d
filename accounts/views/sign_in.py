"""Sign in and sign out."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.email import policy as email_policy
from accounts.email import verification as email_verification
from accounts.factors import passkey_offer, passkeys, trusted_browsers
from accounts.factors import policy as factors_policy
from accounts.factors.passkey_forms import PasskeySignInForm
from accounts.forms import LoginForm
from accounts.models import ProviderFlow, User
from accounts.providers import flows, identities, registry
from accounts.providers.exceptions import ProviderError
from accounts.providers.person import Person
from accounts.providers.registry import Provider
from accounts.security import carried_forms, known_browsers, limits, sign_out_notices, throttle
from accounts.security.next_url import leading_to, own_url
from accounts.security.repeated_forms import repeatable
from accounts.types import Request
from tokens.decorators import fresh_session_required, starts_or_ends_session
from tokens.models import RefreshToken


@method_decorator([fresh_session_required, starts_or_ends_session], name="dispatch")
class SignIn(LoginView):
    """Sign in as Django does, and explain why the previous session has ended.

    The view reads the row, as the pages do that redirect here. Otherwise the two could, for a moment, redirect to each
    other.
    """

    request: Request
    template_name = "accounts/sign_in.html"
    authentication_form = LoginForm
    limit = limits.SIGN_IN
    carried_form = ""  # that of a user whose session had ended when they sent it (accounts/security/carried_forms.py)

    def setup(self, request: HttpRequest, *args: object, **kwargs: object) -> None:
        super().setup(request, *args, **kwargs)
        # A user who is signed in is redirected, but a submitted form signs in whoever was signed in before.
        self.redirect_authenticated_user = request.method != "POST"

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Ask who it is if what was sent is another form; else sign in."""
        if self.carried_form:
            return self.render_to_response(self.get_context_data(form=LoginForm(request)))
        throttle.wait_to_hash(self.request, self.limit)
        self.carried_form = request.POST.get(carried_forms.FIELD, "")
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if not email_policy.can_sign_in(user):
            may_write = throttle.allows(form, self.request, limits.RESEND, user.email)
            return require_verification(self.request, user, self.carried_form) if may_write else self.form_invalid(form)
        self.request.tokens.remember = form.cleaned_data["remember"]
        self.note_method(form)
        url = super().form_valid(form).headers["Location"]
        can_add_passkey = form.cleaned_data.get("can_add_passkey", False)
        return signed_in(self.request, url, carried_form=self.carried_form, can_add_passkey=can_add_passkey)

    def note_method(self, form: AuthenticationForm) -> None:
        """Note how the user has just shown who they are."""
        self.request.tokens.method = RefreshToken.Method.PASSWORD
        trusted = is_trusted(self.request, form.get_user())
        self.request.tokens.amr = ("pwd", factors_policy.TRUSTED) if trusted else ("pwd",)

    @cached_property
    def unfinished(self) -> ProviderFlow | None:
        """Return the visit to a provider that has signed nobody in yet, to go on from."""
        return flows.unfinished(self.request)

    @cached_property
    def offered(self) -> tuple[Provider, Person] | None:
        """Return who can use a provider from now on once they have signed in to their account, and it; or None."""
        return identities.offered(self.unfinished) if self.unfinished else None

    def get_initial(self) -> dict[str, object]:
        remember = self.unfinished is not None and self.unfinished.remember
        return {"remember": remember, "username": self.offered[1].email if self.offered else ""}

    def get_redirect_url(self) -> str:
        """Return where `next` leads unless it is this page, which Django would treat as a redirect loop."""
        url = own_url(self.request, super().get_redirect_url()) or (self.unfinished.next if self.unfinished else "")
        return "" if urlsplit(url).path == self.request.path else url

    def get_success_url(self) -> str:
        """Return where to go next."""
        return after_sign_in(self.request.user, super().get_success_url())

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        """Add the explanation, the form that is carried along, and what a passkey is asked for to the context."""
        tokens = self.request.tokens
        context = {
            "notice": sign_out_notices.UNPROVEN if tokens.unproven else sign_out_notices.notice(tokens.ended),
            "carried_form": self.carried_form or (self.unfinished.carried_form if self.unfinished else ""),
            "offered": self.offered,
            "passkey_form": PasskeySignInForm(self.request),
            "passkey_options": passkeys.request_options(),
            "providers": registry.providers(),
        }
        return super().get_context_data(**{**context, **kwargs})


def signed_in(request: Request, url: str, *, carried_form: str = "", can_add_passkey: bool = False) -> HttpResponse:
    """Return the response to a sign-in, which leads to `url`, or to the form that was carried along."""
    response: HttpResponse = HttpResponseRedirect(url)
    if not request.user.is_authenticated:  # who still has to show a second factor
        request.carried_form = carried_form
        return response
    if flow := flows.unfinished(request):
        _accept(request, flow)
    if carried_form:
        response = carried_forms.resume(request, carried_form, url) or response
    elif can_add_passkey:
        passkey_offer.make(request, url)
    if flow:
        flows.forget(request, response)
    by_factor = factors_policy.MULTI_FACTOR in request.tokens.amr
    known_browsers.remember(request, response, request.user, by_factor=by_factor)
    return response


def is_trusted(request: Request, user: User) -> bool:
    """Return whether `user` trusts this browser, which is not enough to add the provider that it has come from."""
    flow = flows.unfinished(request)
    return not (flow and flow.offered) and trusted_browsers.is_trusted(request, user)


def _accept(request: Request, flow: ProviderFlow) -> None:
    try:
        if provider := identities.accept(request, flow):
            messages.success(request, _("You can now sign in with %(provider)s.") % {"provider": provider})
    except ProviderError as error:
        messages.error(request, error.sentence)


def require_verification(request: Request, user: User, carried_form: str) -> HttpResponse:
    """Ask for the email to be confirmed instead of signing in, and sign out whoever was signed in before.

    A form is not carried further: a link in a mail may be followed elsewhere, and the user may have to sign in again.
    """
    with transaction.atomic():
        if request.user.is_authenticated:
            logout(request)
        email_verification.start(request, user, user.email)
    if carried_form:
        carried_forms.drop(request)
    return redirect("email_verify")


def after_sign_in(user: User | AnonymousUser, url: str) -> str:
    """Return where to go after a sign-in that was for `url`: what has to be answered comes first.

    The user is anonymous if they were deactivated at this very moment, or still have to show a second factor.
    """
    if getattr(user, "deletion_due_at", None):
        return resolve_url("deletion_cancel")
    if getattr(user, "factors_leaving", False):
        return resolve_url("factors_keep")
    if isinstance(user, User) and factors_policy.must_enrol(user):
        return leading_to("security", url)
    url = url or resolve_url(settings.LOGIN_REDIRECT_URL)
    return leading_to("checkup", url) if getattr(user, "reuse_unanswered", False) else url


@repeatable
@login_not_required  # A browser whose session has ended meanwhile gets the same response.
@starts_or_ends_session
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out, and go to the sign-in page."""
    logout(request)
    messages.success(request, _("You're signed out."))
    return redirect("login")
