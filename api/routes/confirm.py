"""/ruleset/confirm and /ruleset/rollback: the change that waits for its confirmation."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import PendingBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import MESSAGE_AND_BODY, ChangeCall, RawBody, json_answer, revision_etag
from xdpwall.firewall.facade import Facade
from xdpwall.views.pending import PendingOutcome

router = APIRouter(tags=["ruleset"])


@router.post(
    "/ruleset/confirm",
    responses=answer_docs(PendingOutcome, examples.CONFIRMED),
    dependencies=MESSAGE_AND_BODY,
    openapi_extra=body_docs(PendingBody, {"revision": 10}, required=False),
)
async def confirm(call: ChangeCall, raw: RawBody) -> Response:
    """Keep the change that waits. Send its revision, so that nobody confirms another's change."""

    def work(firewall: Facade) -> Response:
        outcome = firewall.confirm(_revision(raw), by=call.by)
        return json_answer(outcome, etag=revision_etag(outcome.revision))

    return await call.write(work)


@router.post(
    "/ruleset/rollback",
    responses=answer_docs(PendingOutcome, examples.CANCELLED),
    dependencies=MESSAGE_AND_BODY,
    openapi_extra=body_docs(PendingBody, {"revision": 10}, required=False),
)
async def rollback(call: ChangeCall, raw: RawBody) -> Response:
    """Take the change that waits back at once."""

    def work(firewall: Facade) -> Response:
        outcome = firewall.cancel(_revision(raw), by=call.by)
        return json_answer(outcome, etag=revision_etag(outcome.revision))

    return await call.write(work)


def _revision(raw: bytes) -> int | None:
    return parse_body(PendingBody, raw).revision if raw.strip() else None
