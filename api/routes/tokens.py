"""/tokens and /session: who may come in over TCP, and as whom a request came in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.openapi import examples_tokens as examples
from xdpwall.api.openapi.bodies import NamesBody, TokenBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    MESSAGE_ALONE,
    MESSAGE_AND_BODY,
    NO_INPUT,
    ChangeCall,
    RawBody,
    ReadCall,
    json_answer,
)
from xdpwall.api.roles import ADMIN, READ
from xdpwall.api.serving.caller import caller_of
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade, ServiceFacade
from xdpwall.views.tokens import SessionView, TokenList, TokenOutcome, TokensRevoked

router = APIRouter(tags=["tokens"])

# To take a secret back is not among the changes: it must not wait for a slow one.


@router.get(
    "/session",
    responses=answer_docs(SessionView, examples.SESSION),
    dependencies=[READ, *NO_INPUT],
)
async def show_session(request: Request) -> Response:
    """Who asks, and what role that is."""
    caller = caller_of(request.scope)
    expires = None if caller.token is None else caller.token.stored.expires
    return json_answer(
        SessionView(name=caller.name, via=caller.via, role=caller.role, expires=expires)
    )


@router.get(
    "/tokens", responses=answer_docs(TokenList, examples.TOKENS), dependencies=[ADMIN, *NO_INPUT]
)
async def list_tokens(call: ReadCall) -> Response:
    """Every token, without its secret; when and from where it was used last."""
    return await call.read(lambda firewall: json_answer(firewall.tokens()))


@router.post(
    "/tokens",
    status_code=201,
    responses=answer_docs(TokenOutcome, examples.TOKEN_MADE, status=201, what="Made"),
    dependencies=[ADMIN, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(TokenBody, *examples.TOKEN_BODIES),
)
async def add_token(call: ChangeCall, raw: RawBody) -> Response:
    """Make a token. The answer is the only one that ever has its secret."""

    def work(firewall: Facade) -> Response:
        body = parse_body(TokenBody, raw)
        made = firewall.add_token(
            body.name, body.role, expires=body.expires, sources=body.sources, by=call.by
        )
        return json_answer(made, 201)

    return await call.write(work)


@router.post(
    "/tokens/revoke",
    responses=answer_docs(TokensRevoked, examples.TOKENS_REVOKED),
    dependencies=[ADMIN, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(NamesBody, {"names": ["grafana"]}),
)
async def revoke_tokens(call: ChangeCall, raw: RawBody) -> Response:
    """Refuse several tokens from now on: all of them or, where one is unknown, none."""

    def work(firewall: ServiceFacade) -> Response:
        names = parse_body(NamesBody, raw).names
        if not names:
            raise InvalidInput("names: is empty; wanted one name at least", field="names")
        return json_answer(firewall.revoke_tokens(names, by=call.by))

    return await call.read(work)


@router.delete(
    "/tokens/{name}",
    responses=answer_docs(TokensRevoked, examples.TOKENS_REVOKED),
    dependencies=[ADMIN, *MESSAGE_ALONE],
)
async def revoke_token(call: ChangeCall, name: str) -> Response:
    """Refuse a token from now on; a stream that it follows ends."""
    return await call.read(lambda firewall: json_answer(firewall.revoke_tokens([name], by=call.by)))


@router.post(
    "/tokens/{name}/rotate",
    responses=answer_docs(TokenOutcome, examples.TOKEN_MADE, what="The new secret"),
    dependencies=[ADMIN, *MESSAGE_ALONE],
)
async def rotate_token(call: ChangeCall, name: str) -> Response:
    """A new secret for a token; the former one is refused from now on."""
    return await call.read(lambda firewall: json_answer(firewall.rotate_token(name, by=call.by)))
