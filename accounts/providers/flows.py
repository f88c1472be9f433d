"""Send a browser to a provider, and take the answer that it brings back, once.

All of a flow follows from one random secret in a cookie: its digest names the row and is the `state`; the nonce and the
PKCE verifier are made from it and stored nowhere. So an answer is good only in the browser that was sent. The cookie
holds the secrets of several flows, such as of two tabs.

A flow whose answer has signed nobody in is kept, because the sign-in page goes on with what it was for.
"""

from hashlib import sha256
from secrets import token_urlsafe

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.utils.crypto import salted_hmac
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from accounts.models import ProviderFlow
from accounts.models.factors import digest
from accounts.models.providers import FLOW_LIFETIME
from accounts.providers.exceptions import ProviderError
from accounts.providers.person import is_short_text
from accounts.providers.registry import Provider
from accounts.security import cookies
from accounts.types import Request

ANSWER = ("code", "state", "iss", "error")
LONGEST_ANSWER = 4096  # characters of each parameter
LONGEST_NEXT = 2048
MAX_FLOWS = 5  # of one browser; beyond these the oldest is forgotten
Purpose = ProviderFlow.Purpose


def start(
    request: Request,
    provider: Provider,
    purpose: Purpose,
    *,
    next: str = "",
    remember: bool = False,
    carried_form: str = "",
) -> str:
    """Begin a flow and return its secret.

    What an earlier flow of this browser has offered goes over to this one: its owner may sign in by another provider.
    """
    ProviderFlow.objects.prune()
    secret = token_urlsafe(32)
    earlier = unfinished(request) if purpose == Purpose.SIGN_IN else None
    ProviderFlow.objects.create(
        state=digest(secret),
        provider=provider.name,
        purpose=purpose,
        session_id=None if purpose == Purpose.SIGN_IN else request.tokens.session_id,
        next=next if len(next) <= LONGEST_NEXT else "",
        remember=remember,
        carried_form=carried_form,
        offered=earlier and earlier.offered,
    )
    return secret


def nonce(secret: str) -> str:
    """Return what the ID token of this flow has to repeat."""
    return _derived("nonce", secret)


def verifier(secret: str) -> str:
    """Return what proves that whoever redeems the code is who asked for it (RFC 7636)."""
    return _derived("verifier", secret)


def challenge(secret: str) -> str:
    """Return what the provider learns of the verifier beforehand, by the method S256."""
    return urlsafe_base64_encode(sha256(verifier(secret).encode()).digest())


def keep_answer(request: HttpRequest, provider: Provider) -> None:
    """Keep what `provider` has posted, if a flow waits for it: that request brings no cookie (SameSite).

    No stranger can cause a row by it, and the answer of one flow never reaches the browser of another.
    """
    answer = _answer(request.POST)
    ProviderFlow.objects.filter(state=answer.get("state", ""), provider=provider.name).answer(answer)


def take(request: HttpRequest, provider: Provider) -> tuple[ProviderFlow, str, dict[str, str]]:
    """Use up the flow of this browser that was answered; return it, its secret and the answer. Raise ProviderError."""
    secrets, answer = _secrets(request), _answer(request.GET)
    own = ProviderFlow.objects.open().filter(state__in=secrets, provider=provider.name)
    by_form = provider.response_mode == "form_post"
    flow = own.filter(Q(answer__isnull=False) if by_form else Q(state=answer.get("state", ""))).first()
    if flow is None or not ProviderFlow.objects.filter(pk=flow.pk).spend():
        text = _("This sign-in has expired or was already used. Please try again.")
        raise ProviderError("No such flow of this browser, or it is over.", text)
    return flow, secrets[flow.state], (flow.answer or {}) if by_form else answer


def give_up(secret: str) -> None:
    """Let no answer complete this flow any more."""
    ProviderFlow.objects.filter(state=digest(secret)).spend()


def unfinished(request: HttpRequest) -> ProviderFlow | None:
    """Return the latest flow of this browser that was answered but has signed nobody in; or None."""
    if not (secrets := _secrets(request)):
        return None
    spent = ProviderFlow.objects.spent().filter(state__in=secrets, purpose=Purpose.SIGN_IN)
    return spent.order_by("created_at").last()


def forget(request: HttpRequest, response: HttpResponseBase) -> None:
    """Delete what was answered in this browser: it has led to something. Another tab may go on."""
    own = ProviderFlow.objects.filter(state__in=_secrets(request))
    own.filter(spent=True).delete()
    if not own.exists():
        cookies.delete(response, settings.PROVIDER_COOKIE_NAME)


def set_cookie(request: HttpRequest, response: HttpResponseBase, secret: str) -> None:
    """Give the browser the secret of its flow, before those of earlier ones."""
    value = ".".join([secret, *_secrets(request).values()][:MAX_FLOWS])
    cookies.write(response, settings.PROVIDER_COOKIE_NAME, value, FLOW_LIFETIME)


def _secrets(request: HttpRequest) -> dict[str, str]:
    """Return the secrets of the flows of this browser by their states, the latest first."""
    secrets = request.COOKIES.get(settings.PROVIDER_COOKIE_NAME, "").split(".")[:MAX_FLOWS]
    return {digest(secret): secret for secret in secrets if secret}


def _answer(sent: QueryDict) -> dict[str, str]:
    """Return the parameters of an answer: none if one is doubled, too long, or not of printable ASCII (RFC 6749)."""
    found = {name: sent.getlist(name) for name in ANSWER if name in sent}
    well_formed = all(len(each) == 1 and is_short_text(each[0], LONGEST_ANSWER) for each in found.values())
    return {name: each[0] for name, each in found.items()} if well_formed else {}


def _derived(purpose: str, secret: str) -> str:
    return salted_hmac("accounts.providers", purpose, secret=secret, algorithm="sha256").hexdigest()
