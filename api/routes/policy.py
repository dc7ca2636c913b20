"""/policy: what happens to packets that no rule decides."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.body_checks import as_object
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import PolicyBody
from xdpwall.api.openapi.describe import answers, takes
from xdpwall.api.request import CHANGE, NOTHING, Changing, Raw, Reading, answer
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.ruleset.policy import Policy, check_policy
from xdpwall.views.status import PolicyOutcome

router = APIRouter(tags=["policy"])


@router.get("/policy", responses=answers(Policy, examples.POLICY), dependencies=NOTHING)
async def show_policy(call: Reading) -> Response:
    """The policy of each direction, and of frames that are not IP."""
    return await call.read(lambda firewall: answer(firewall.policy()))


@router.put(
    "/policy",
    responses=answers(PolicyOutcome, examples.POLICY_CHANGED),
    dependencies=CHANGE,
    openapi_extra=takes(PolicyBody, {"ingress": "drop"}),
)
async def set_policy(call: Changing, raw: Raw) -> Response:
    """Change the named fields; the others stay."""

    def work(firewall: Facade) -> Response:
        changes = as_object(raw)
        if not changes:
            raise InvalidInput("body: names no field to change", field="body")
        for name, value in changes.items():
            check_policy(name, value)
        return answer(firewall.set_policy(changes, by=call.by))

    return await call.write(work)
