"""/policy: what happens to packets that no rule decides."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_object
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import PolicyBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    NO_INPUT,
    ConfirmableCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
)
from xdpwall.api.roles import OPERATOR, READ
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.ruleset.policy import Policy, check_policy
from xdpwall.views.status import PolicyOutcome

router = APIRouter(tags=["policy"])


@router.get(
    "/policy", responses=answer_docs(Policy, examples.POLICY), dependencies=[READ, *NO_INPUT]
)
async def show_policy(call: ReadCall) -> Response:
    """The policy of each direction, and of frames that are not IP."""
    return await call.read(lambda firewall: json_answer(firewall.policy()))


@router.put(
    "/policy",
    responses=answer_docs(PolicyOutcome, examples.POLICY_CHANGED),
    dependencies=[OPERATOR, allow_query("message", "force", "dry_run", "confirm", "add_missing")],
    openapi_extra=body_docs(PolicyBody, {"ingress": "drop"}),
)
async def set_policy(
    call: ConfirmableCall,
    raw: RawBody,
    dry_run: Annotated[bool, Query(description="say what would change, change nothing")] = False,
    add_missing: Annotated[
        bool, Query(description="add missing_rules and missing_policy in the same change")
    ] = False,
) -> Response:
    """Change the named fields; the others stay. Tells what a drop would end of what the host does, and
    the rules that are missing for it."""

    def work(firewall: Facade) -> Response:
        changes = parse_object(raw)
        if not changes:
            raise InvalidInput("body: names no field to change", field="body")
        for name, value in changes.items():
            check_policy(name, value)
        return json_answer(
            firewall.set_policy(changes, dry_run=dry_run, add_missing=add_missing, by=call.by)
        )

    return await call.write(work)
