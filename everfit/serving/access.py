"""Access control: clients send a bearer token; browsers, which cannot, send the same token as a password.

A password is accepted for the reports only: a browser adds it to every request, including those that another page causes.
"""

import base64
import binascii
import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from everfit.serving.reports import REPORTS
from everfit.serving.responses import as_json

OPEN = "/v2/health/"  # without a token, for whatever restarts the process
BEARER, BASIC = "Bearer", 'Basic realm="everfit"'


class TokenRequired:
    """Middleware that passes requests with the token, and refuses all others."""

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
    """The token of an ``Authorization`` header: a bearer token or, for browsed paths, the password of Basic, with any user.

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
    """Answer 401, with what to send instead."""
    sent = "`Authorization: Bearer …`" + (", or the token as the password of any user" if browsed else "")
    refusal = as_json({"error": f"no valid bearer token; send {sent}"}, 401)
    for challenge in [BASIC, BEARER] if browsed else [BEARER]:
        refusal.headers.append("WWW-Authenticate", challenge)
    await refusal(scope, receive, send)
