"""Who is let in: clients by a bearer token; browsers, which cannot send one, by the same token as a password.

A password counts for the reports alone: a browser sends it along with whatever another page makes it ask.
"""

import base64
import binascii
import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from everfit.serving.reports import REPORTS
from everfit.serving.responses import as_json

OPEN = "/v2/health/"  # to whoever restarts the process
BEARER, BASIC = "Bearer", 'Basic realm="everfit"'


class TokenAsked:
    """Lets through what carries the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(OPEN):
            browsed = scope["path"].startswith(REPORTS)
            given = _given(dict(scope["headers"]).get(b"authorization", b""), browsed)
            if not hmac.compare_digest(given, self._token):
                await _refuse(browsed, scope, receive, send)
                return
        await self._app(scope, receive, send)


def _given(header: bytes, browsed: bool) -> bytes:
    """The token in an ``Authorization``: of a bearer, or for what is browsed the password of Basic, whoever the user is.

    Source: https://www.rfc-editor.org/rfc/rfc7617.
    """
    scheme, _, credentials = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return credentials
    if scheme.lower() == b"basic" and browsed:
        try:
            return base64.b64decode(credentials, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


async def _refuse(browsed: bool, scope: Scope, receive: Receive, send: Send) -> None:
    """401 with what may be sent instead."""
    sent = "`Authorization: Bearer …`" + (", or the token as the password of any user" if browsed else "")
    refusal = as_json({"error": f"no valid bearer token; send {sent}"}, 401)
    for challenge in [BASIC, BEARER] if browsed else [BEARER]:
        refusal.headers.append("WWW-Authenticate", challenge)
    await refusal(scope, receive, send)
