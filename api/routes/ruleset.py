"""/ruleset: the whole of it, as a ruleset file has it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_json
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import RulesetBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    ADOPT,
    ConfirmableCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
    no_body,
    revision_etag,
)
from xdpwall.api.roles import OPERATOR, READ
from xdpwall.firewall.facade import Facade
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.views.check import CheckReport
from xdpwall.views.status import ApplyOutcome

router = APIRouter(tags=["ruleset"])


@router.get(
    "/ruleset",
    responses=answer_docs(None, examples.RULESET, what="The ruleset; PUT takes it back unchanged"),
    dependencies=[READ, allow_query("sets"), Depends(no_body)],
)
async def show_ruleset(
    call: ReadCall, sets: Annotated[bool, Query(description="what they hold too")] = False
) -> Response:
    """Policy, rules and attachments, as `apply` takes them."""

    def work(firewall: Facade) -> Response:
        revision, ruleset = firewall.ruleset(sets=sets)
        return json_answer(ruleset.to_json(), etag=revision_etag(revision))

    return await call.read(work)


@router.put(
    "/ruleset",
    responses=answer_docs(ApplyOutcome, examples.APPLIED),
    dependencies=[OPERATOR, allow_query("message", "force", "dry_run", "adopt", "confirm")],
    openapi_extra=body_docs(RulesetBody, examples.RULESET),
)
async def apply(
    call: ConfirmableCall,
    raw: RawBody,
    dry_run: Annotated[bool, Query(description="say what would change, change nothing")] = False,
    adopt: Annotated[bool, Query(description=ADOPT)] = False,
) -> Response:
    """Make the kernel hold exactly this in one switch; rules that stay keep id and counters.
    `adopt`, and other attachments than there are, need the role admin."""
    if adopt:
        call.by.require("admin", "adopt")

    def work(firewall: Facade) -> Response:
        ruleset = Ruleset.parse(parse_json(raw))
        call.check_revision(firewall)
        outcome = firewall.apply(ruleset, dry_run=dry_run, adopt=adopt, by=call.by)
        return json_answer(outcome, etag=None if dry_run else revision_etag(outcome.revision))

    return await call.write(work)


@router.post(
    "/check",
    responses=answer_docs(CheckReport, examples.CHECKED),
    dependencies=[READ, allow_query()],
    openapi_extra=body_docs(RulesetBody, examples.RULESET, required=False),
)
async def check(call: ReadCall, raw: RawBody) -> Response:
    """Find rules that never decide or change nothing, in a ruleset or in the one in force."""

    def work(firewall: Facade) -> Response:
        ruleset = Ruleset.parse(parse_json(raw)) if raw.strip() else None
        return json_answer(firewall.check(ruleset))

    return await call.read(work)
