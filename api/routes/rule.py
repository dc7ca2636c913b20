"""/rules/{id}: one rule, by its id."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.body_checks import as_object, parse_body, parse_json
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import MoveBody
from xdpwall.api.openapi.describe import ANY_RULE, answers, takes
from xdpwall.api.request import (
    BARE_CHANGE,
    CHANGE,
    NOTHING,
    Call,
    Changing,
    Raw,
    Reading,
    answer,
    rule_etag,
)
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.limits import MAX_RULES
from xdpwall.rule.rule import Rule
from xdpwall.values.inputs import invalid, parse_number
from xdpwall.views.rules import DeleteOutcome, RuleOutcome, RuleView

router = APIRouter(tags=["rules"])

GONE = answers(DeleteOutcome, examples.DELETED)
ONE = answers(None, examples.RULE_CHANGED, what="The rule as read back, warnings and revision")


@router.get("/rules/{id}", responses=answers(RuleView, examples.RULE), dependencies=NOTHING)
async def show_rule(call: Reading, id: str) -> Response:
    """One rule, with its counters."""

    def work(firewall: Facade) -> Response:
        found = firewall.rule(id)
        return answer(found, etag=rule_etag(found.to_json()))

    return await call.read(work)


@router.put(
    "/rules/{id}",
    responses=ONE,
    dependencies=CHANGE,
    openapi_extra=takes(ANY_RULE, examples.BLOCK_PING, examples.BLOCK_SSH),
)
async def replace_rule(call: Changing, id: str, raw: Raw) -> Response:
    """Replace a rule: id and place stay, a field that is not given is gone."""

    def work(firewall: Facade) -> Response:
        data = parse_json(raw)
        _keep(data, id)
        rule = Rule.parse(data)
        _expect_rule(call, firewall, id)
        return one(firewall.replace_rule(id, rule, by=call.by))

    return await call.write(work)


@router.patch(
    "/rules/{id}",
    responses=ONE,
    dependencies=CHANGE,
    openapi_extra=takes(
        {"$ref": "#/components/schemas/RuleChange"},
        {"comment": "no pings", "iface": None},
        {"enabled": False},
    ),
)
async def change_rule(call: Changing, id: str, raw: Raw) -> Response:
    """Change only the named fields; null takes one away."""

    def work(firewall: Facade) -> Response:
        changes = as_object(raw)
        _keep(changes, id)
        if not changes:
            raise InvalidInput("body: names no field to change", field="body")
        _expect_rule(call, firewall, id)
        return one(firewall.set_rule(id, changes, by=call.by))

    return await call.write(work)


@router.delete("/rules/{id}", responses=GONE, dependencies=BARE_CHANGE)
async def delete_rule(call: Changing, id: str) -> Response:
    """Delete a rule and its counters."""

    def work(firewall: Facade) -> Response:
        _expect_rule(call, firewall, id)
        return answer(firewall.delete_rules([id], by=call.by))

    return await call.write(work)


@router.post(
    "/rules/{id}/move",
    responses=ONE,
    dependencies=CHANGE,
    openapi_extra=takes(MoveBody, {"position": 1}),
)
async def move_rule(call: Changing, id: str, raw: Raw) -> Response:
    """Move a rule; `position` is its place after the move."""

    def work(firewall: Facade) -> Response:
        given = parse_body(MoveBody, raw).position
        position = parse_number("position", given, 1, MAX_RULES, "its place after the move, from 1")
        _expect_rule(call, firewall, id)
        return one(firewall.move_rule(id, position, by=call.by))

    return await call.write(work)


@router.post("/rules/{id}/reset-counters", responses=ONE, dependencies=BARE_CHANGE)
async def reset_one(call: Changing, id: str) -> Response:
    """Show the counters of a rule from 0 on."""

    def work(firewall: Facade) -> Response:
        _expect_rule(call, firewall, id)
        return one(firewall.reset_counters([id], by=call.by))

    return await call.write(work)


def one(outcome: RuleOutcome, status: int = 200, location: str | None = None) -> Response:
    """The one rule that a change was about, with what else there is to say beside its fields."""
    rule = outcome.rules[0].to_json()
    what = {**rule, "warnings": outcome.warnings, "revision": outcome.revision}
    return answer(what, status, etag=rule_etag(rule), location=location)


def _expect_rule(call: Call, firewall: Facade, rule_id: str) -> None:
    call.expect(lambda: rule_etag(firewall.rule(rule_id).to_json()))


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
