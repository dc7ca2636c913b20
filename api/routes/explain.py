"""/explain"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.body_checks import parse_object, validate_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import ExplainBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import RawBody, ReadCall, allow_query, json_answer
from xdpwall.api.roles import READ
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.views.explain import ExplainReport

router = APIRouter(tags=["ruleset"])


@router.post(
    "/explain",
    responses=answer_docs(ExplainReport, examples.EXPLAINED),
    dependencies=[READ, allow_query()],
    openapi_extra=body_docs(ExplainBody, examples.EXPLAIN, {"rules": ["r1"]}),
)
async def explain(call: ReadCall, raw: RawBody) -> Response:
    """Say what becomes of packets, or of a packet for a rule, and why, by the ruleset in force or by one in
    the body. Nothing is counted, reported or changed."""

    def work(firewall: Facade) -> Response:
        body = validate_body(ExplainBody, parse_object(raw))
        if not body.packets and not body.rules:
            raise InvalidInput("packets: is missing; wanted packets or rules", field="packets")
        ruleset = None if body.ruleset is None else Ruleset.parse(body.ruleset)
        return json_answer(firewall.explain(body.packets, ruleset, rules=body.rules))

    return await call.read(work)
