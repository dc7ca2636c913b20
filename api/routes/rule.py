"""/rules/{id}: one rule, by its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body, parse_json, parse_object
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import MoveBody
from xdpwall.api.openapi.describe import ANY_RULE, answer_docs, body_docs
from xdpwall.api.request import (
    CONFIRM_ALONE,
    CONFIRM_AND_BODY,
    MESSAGE_ALONE,
    NO_INPUT,
    Call,
    ChangeCall,
    ConfirmableCall,
    RawBody,
    ReadCall,
    json_answer,
    rule_etag,
)
from xdpwall.api.roles import OPERATOR, READ
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.limits import MAX_RULES
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.edits import Beside, Where
from xdpwall.values.inputs import error_value, invalid, parse_number
from xdpwall.views.rules import DeleteOutcome, RuleOutcome, RuleView

router = APIRouter(tags=["rules"])

PLACES = ("position", "before", "after")
"""The fields of a body that say where a rule goes."""
GONE = answer_docs(DeleteOutcome, examples.DELETED)
ONE = answer_docs(None, examples.RULE_CHANGED, what="The rule as read back, warnings and revision")


@router.get(
    "/rules/{id}", responses=answer_docs(RuleView, examples.RULE), dependencies=[READ, *NO_INPUT]
)
async def show_rule(call: ReadCall, id: str) -> Response:
    """One rule, with its counters."""

    def work(firewall: Facade) -> Response:
        found = firewall.rule(id)
        return json_answer(found, etag=rule_etag(found.to_json()))

    return await call.read(work)


@router.put(
    "/rules/{id}",
    responses=ONE,
    dependencies=[OPERATOR, *CONFIRM_AND_BODY],
    openapi_extra=body_docs(ANY_RULE, examples.BLOCK_PING, examples.BLOCK_SSH),
)
async def replace_rule(call: ConfirmableCall, id: str, raw: RawBody) -> Response:
    """Replace a rule: id and place stay, a field that is not given is gone."""

    def work(firewall: Facade) -> Response:
        data = parse_json(raw)
        _keep(data, id)
        rule = Rule.parse(data)
        _expect_rule(call, firewall, id)
        return rule_answer(firewall.replace_rule(id, rule, by=call.by))

    return await call.write(work)


@router.patch(
    "/rules/{id}",
    responses=ONE,
    dependencies=[OPERATOR, *CONFIRM_AND_BODY],
    openapi_extra=body_docs(
        {"$ref": "#/components/schemas/RuleChange"},
        {"comment": "no pings", "iface": None},
        {"enabled": False},
    ),
)
async def change_rule(call: ConfirmableCall, id: str, raw: RawBody) -> Response:
    """Change only the named fields; null takes one away."""

    def work(firewall: Facade) -> Response:
        changes = parse_object(raw)
        _keep(changes, id)
        if not changes:
            raise InvalidInput("body: names no field to change", field="body")
        _expect_rule(call, firewall, id)
        return rule_answer(firewall.set_rule(id, changes, by=call.by))

    return await call.write(work)


@router.delete("/rules/{id}", responses=GONE, dependencies=[OPERATOR, *CONFIRM_ALONE])
async def delete_rule(call: ConfirmableCall, id: str) -> Response:
    """Delete a rule and its counters."""

    def work(firewall: Facade) -> Response:
        _expect_rule(call, firewall, id)
        return json_answer(firewall.delete_rules([id], by=call.by))

    return await call.write(work)


@router.post(
    "/rules/{id}/move",
    responses=ONE,
    dependencies=[OPERATOR, *CONFIRM_AND_BODY],
    openapi_extra=body_docs(MoveBody, {"position": 1}),
)
async def move_rule(call: ConfirmableCall, id: str, raw: RawBody) -> Response:
    """Move a rule: to the place `position`, counted after the move, or beside another rule."""

    def work(firewall: Facade) -> Response:
        where = parse_place(parse_body(MoveBody, raw).model_dump())
        if where is None:
            raise InvalidInput(
                "position: is missing; wanted position, before or after",
                field="position",
                hint='{"position": 1} or {"before": "r1"}',
            )
        _expect_rule(call, firewall, id)
        return rule_answer(firewall.move_rule(id, where, by=call.by))

    return await call.write(work)


@router.post("/rules/{id}/reset-counters", responses=ONE, dependencies=[OPERATOR, *MESSAGE_ALONE])
async def reset_one(call: ChangeCall, id: str) -> Response:
    """Show the counters of a rule from 0 on."""

    def work(firewall: Facade) -> Response:
        _expect_rule(call, firewall, id)
        return rule_answer(firewall.reset_counters([id], by=call.by))

    return await call.write(work)


def rule_answer(outcome: RuleOutcome, status: int = 200, location: str | None = None) -> Response:
    """The one rule that a change was about, with what else there is to say beside its fields."""
    rule = outcome.rules[0].to_json()
    what = {**rule, "warnings": outcome.warnings, "revision": outcome.revision}
    if outcome.pending is not None:
        what["pending"] = outcome.pending.to_json()
    return json_answer(what, status, etag=rule_etag(rule), location=location)


def parse_place(given: Mapping[str, Any]) -> Where | None:
    """Where a rule goes: `position`, `before` or `after`; None when none of them says it."""
    said = [name for name in PLACES if given.get(name) is not None]
    if len(said) > 1:
        raise InvalidInput(
            f"{said[1]}: {said[0]} says it already; wanted one of {', '.join(PLACES)}",
            field=said[1],
            value=error_value(given[said[1]]),
        )
    if not said:
        return None
    value = given[said[0]]
    if said[0] == "position":
        return parse_number("position", value, 1, MAX_RULES, f"a place from 1 to {MAX_RULES:,}")
    if not isinstance(value, str):
        raise invalid(said[0], value, "is not a rule's id", "the id of a rule, in quotes")
    return Beside("before" if said[0] == "before" else "after", value)


def _expect_rule(call: Call, firewall: Facade, rule_id: str) -> None:
    call.check_if_match(lambda: rule_etag(firewall.rule(rule_id).to_json()))


def _keep(data: Any, rule_id: str) -> None:
    """Refuse what a change cannot give a rule: another id, another place."""
    if not isinstance(data, dict):
        return
    if "position" in data:
        raise invalid(
            "position",
            data["position"],
            "cannot be changed here",
            hint=f"POST /api/v1/rules/{rule_id}/move",
        )
    if data.get("id", rule_id) != rule_id:
        raise invalid("id", data["id"], f"differs from the rule's id {rule_id!r}, which stays")
