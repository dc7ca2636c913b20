"""/page and POST /session: how a browser gets in, without a token that is typed or printed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.errors import HttpError
from xdpwall.api.openapi import examples_tokens as examples
from xdpwall.api.openapi.bodies import CodeBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import NO_INPUT, RawBody, ReadCall, allow_query, json_answer
from xdpwall.api.roles import OPEN, READ
from xdpwall.api.serving.caller import Peer, caller_of
from xdpwall.api.serving.page_codes import GOOD_FOR, CodeGrant, PageCodes
from xdpwall.api.serving.security import PEER
from xdpwall.views.tokens import PageCode, TokenOutcome

router = APIRouter(tags=["tokens"])


@router.post(
    "/page",
    responses=answer_docs(PageCode, examples.PAGE_CODE),
    dependencies=[READ, *NO_INPUT],
)
async def make_code(request: Request) -> Response:
    """Make an address that opens the page once, within a minute, with the asker's role. By the unix
    socket only: a token must not make more of itself."""
    caller = caller_of(request.scope)
    if caller.via != "socket" or caller.role is None:
        raise HttpError(
            403,
            "socket-only",
            "an address of the page is made over the unix socket only",
            hint="run on this host: xdpwall page",
        )
    codes: PageCodes = request.app.state.page_codes
    code = codes.make(CodeGrant(caller.name, caller.role))
    url = f"{request.app.state.page_url}#code={code}"
    return json_answer(PageCode(url=url, code=code, seconds=GOOD_FOR, role=caller.role))


@router.post(
    "/session",
    status_code=201,
    responses=answer_docs(TokenOutcome, examples.SESSION_OPENED, status=201, what="Opened"),
    dependencies=[OPEN, allow_query()],
    openapi_extra=body_docs(CodeBody, {"code": "EXAMPLE-EXAMPLE-EXAMPL"}),
)
async def open_session(request: Request, call: ReadCall, raw: RawBody) -> Response:
    """Exchange a code for the token of a session, which `token list` shows and `token revoke` ends."""
    code = parse_body(CodeBody, raw).code
    grant = request.app.state.page_codes.take(code)
    if grant is None:
        # Guessing is slowed as for tokens.
        peer: Peer = request.scope.get(PEER) or Peer()
        request.app.state.refusals.count("wrong-code")
        await request.app.state.refusals.wrong_token(peer.owner)
        raise HttpError(
            401,
            "wrong-code",
            "the code is unknown, was used, or is older than a minute",
            hint="a new one: sudo xdpwall page",
        )
    # Not among the changes: whoever opens the page while a slow one is made is not to wait for it.
    return await call.read(
        lambda firewall: json_answer(firewall.open_session(grant.owner, grant.role), 201)
    )
