"""A neighbour of a Sojourn site: whoever signed in there is somebody here.

ISSUER (the site's TOKENS_ISSUER), AUDIENCE (its TOKENS_AUDIENCE, the issuer unless set) and ALGORITHMS (of its keys)
come from the environment.
"""

import logging
import os
from time import time
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from verifier import InvalidToken, Unavailable, Verifier

ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ.get("AUDIENCE", ISSUER)
ALGORITHMS = os.environ.get("ALGORITHMS", "ES256").split(",")
MAX_AGE = 300  # seconds since somebody showed who they are, for what could do harm
CHALLENGE = 'Bearer realm="neighbour"'

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)
verifier = Verifier(ISSUER, AUDIENCE, ALGORITHMS)
bearer = HTTPBearer(auto_error=False)  # its own refusal has no challenge of RFC 6750
app = FastAPI(title="A neighbour")


# Not async: it may wait for the issuer, and FastAPI gives it a thread to wait in.
def somebody(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> dict[str, Any]:
    """Return the claims of whoever asks. A client learns that its token is not good; why is for the log."""
    if credentials is None:
        raise HTTPException(401, "An access token is needed.", {"WWW-Authenticate": CHALLENGE})
    try:
        return verifier.claims_of(credentials.credentials)
    except InvalidToken as error:
        logger.info("Refused a token: %r", error)  # %r: it may quote the token, line breaks included
        challenge = f'{CHALLENGE}, error="invalid_token"'
        raise HTTPException(401, "The access token is not good.", {"WWW-Authenticate": challenge}) from None
    except Unavailable as error:
        logger.error("Cannot judge a token: %r", error)
        raise HTTPException(503, "Please try again in a moment.", {"Retry-After": "5"}) from None


Somebody = Annotated[dict[str, Any], Depends(somebody)]


def staff(claims: Somebody) -> dict[str, Any]:
    """Return the same for the staff: as of when the token was made."""
    if claims.get("is_staff") is not True:
        raise HTTPException(403, "This is for the staff.")
    return claims


def confirmed(claims: Somebody) -> dict[str, Any]:
    """Return the same for whoever has just shown two factors. The challenge says so to the client (RFC 9470)."""
    at, amr = claims.get("auth_time"), claims.get("amr")
    recent = isinstance(at, int) and time() - at <= MAX_AGE
    if not recent or not isinstance(amr, list) or "mfa" not in amr:
        challenge = f'{CHALLENGE}, error="insufficient_user_authentication", max_age="{MAX_AGE}"'
        raise HTTPException(401, "Please confirm that it's you.", {"WWW-Authenticate": challenge})
    return claims


@app.get("/public")
def public() -> dict[str, str]:
    return {"message": "Anybody may read this."}


@app.get("/me")
def me(claims: Somebody) -> dict[str, Any]:
    """`sub` is the person's key, and the one to keep beside your own data; a user name can change."""
    return {"sub": claims["sub"], "username": claims.get("username")}


@app.get("/staff")
def for_staff(claims: Annotated[dict[str, Any], Depends(staff)]) -> dict[str, str]:
    return {"message": f"Hello {claims.get('username')}, you are of the staff."}


@app.get("/sensitive")
def sensitive(claims: Annotated[dict[str, Any], Depends(confirmed)]) -> dict[str, str]:
    return {"message": f"Hello {claims.get('username')}, it's really you."}
