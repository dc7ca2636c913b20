"""/rules: the ordered rules, one by one and many in one commit."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body, parse_json
from xdpwall.api.errors import problem_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import IdsBody, Parsed, Sentence, SomeIdsBody
from xdpwall.api.openapi.describe import ANY_RULE, answer_docs, body_docs
from xdpwall.api.request import (
    CONFIRM_ALONE,
    CONFIRM_AND_BODY,
    MESSAGE_AND_BODY,
    NO_INPUT,
    Call,
    ChangeCall,
    ConfirmableCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
    revision_etag,
)
from xdpwall.api.roles import OPERATOR, READ
from xdpwall.api.routes.rule import PLACES, parse_place, rule_answer
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade, ServiceFacade
from xdpwall.firewall.interface_names import selectable_names
from xdpwall.limits import MAX_RULES
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_complete import completions_of
from xdpwall.ruleset.edits import Where
from xdpwall.ruleset.ruleset import parse_rules
from xdpwall.ruleset.set_references import check_sets_known, sets_named_by
from xdpwall.sets.names import SetRow
from xdpwall.values.inputs import invalid
from xdpwall.views.rules import DeleteOutcome, RuleList, RuleOutcome

router = APIRouter(tags=["rules"])

MANY = answer_docs(RuleOutcome, examples.RULES_CHANGED)
GONE = answer_docs(DeleteOutcome, examples.DELETED)


@router.get(
    "/rules", responses=answer_docs(RuleList, examples.RULES), dependencies=[READ, *NO_INPUT]
)
async def list_rules(call: ReadCall) -> Response:
    """The rules in order, with their counters."""

    def work(firewall: ServiceFacade) -> Response:
        seen = firewall.observe(None)
        headers = {"etag": revision_etag(seen.ruleset.revision)}
        return Response(call.rule_json.list_json(seen), 200, headers, "application/json")

    return await call.read(work)


@router.post(
    "/rules",
    status_code=201,
    responses=answer_docs(
        None, examples.RULE_CHANGED, status=201, what="Added; a list: RuleOutcome"
    ),
    dependencies=[OPERATOR, *CONFIRM_AND_BODY],
    openapi_extra=body_docs(
        {
            "anyOf": [
                *ANY_RULE["anyOf"],
                {"type": "array", "items": ANY_RULE, "minItems": 1, "maxItems": MAX_RULES},
            ]
        },
        examples.BLOCK_PING,
        examples.BLOCK_SSH,
        [examples.PLACED, "count udp/53"],
    ),
)
async def add_rules(call: ConfirmableCall, raw: RawBody) -> Response:
    """Add a rule, or a list of them in one commit; appended unless `position`, `before`
    or `after` says where."""

    def work(firewall: Facade) -> Response:
        data = parse_json(raw)
        data, at = _take_position(data)
        rules = parse_rules(data) if isinstance(data, list) else (Rule.parse(data),)
        if not rules:
            raise invalid("rules", data, "holds no rule", "one at least")
        call.check_revision(firewall)
        outcome = firewall.add_rules(rules, at=at, by=call.by)
        if isinstance(data, list):
            return json_answer(outcome, 201, etag=revision_etag(outcome.revision))
        where = f"/api/v1/rules/{outcome.rules[0].id}"
        return rule_answer(outcome, 201, location=where)

    return await call.write(work)


@router.post(
    "/rules/parse",
    responses=answer_docs(Parsed, examples.PARSED, what="The sentence read; nothing is changed"),
    dependencies=[READ, allow_query()],
    openapi_extra=body_docs(
        Sentence,
        {"text": "drop icmp on docker0"},
        {"text": "drop icmp onn docker0"},
        {"text": "drop icmp on d", "partial": True},
    ),
)
async def parse_rule(call: ReadCall, raw: RawBody) -> Response:
    """Read a sentence. A wrong one is a good question too: 200, with `problem`.

    The problem's `span` says where the wrong word stands. With `partial` also what the word at
    the end may become.
    """

    def work(firewall: ServiceFacade) -> Response:
        asked = parse_body(Sentence, raw)
        found: dict[str, Any] = {}
        try:
            rule = Rule.parse(asked.text)
            _check_sets(firewall, rule, asked.text)
            warnings = firewall.advise(rule)
            found = {"rule": rule.to_json(), "text": rule.text, "warnings": warnings}
        except InvalidInput as error:
            found = {"problem": problem_body(error)}
        if asked.partial:
            names = selectable_names()
            sets = [one.name for one in firewall.sets().sets] if _may_name_set(asked.text) else []
            found |= asdict(completions_of(asked.text, names, sets))
        return json_answer(Parsed(**found))

    return await call.read(work)


@router.post(
    "/rules/delete",
    responses=GONE,
    dependencies=[OPERATOR, *CONFIRM_AND_BODY],
    openapi_extra=body_docs(IdsBody, {"ids": ["r1", "r2"]}),
)
async def delete_rules(call: ConfirmableCall, raw: RawBody) -> Response:
    """Delete several rules in one commit."""

    def work(firewall: Facade) -> Response:
        ids = _ids(parse_body(IdsBody, raw).ids)
        call.check_revision(firewall)
        return json_answer(firewall.delete_rules(ids, by=call.by))

    return await call.write(work)


@router.post("/rules/flush", responses=GONE, dependencies=[OPERATOR, *CONFIRM_ALONE])
async def flush(call: ConfirmableCall) -> Response:
    """Delete every rule."""

    def work(firewall: Facade) -> Response:
        call.check_revision(firewall)
        return json_answer(firewall.flush(by=call.by))

    return await call.write(work)


_switch = functools.partial(
    router.post,
    responses=MANY,
    dependencies=[OPERATOR, *CONFIRM_AND_BODY],
    openapi_extra=body_docs(IdsBody, {"ids": ["r1"]}),
)


@_switch("/rules/enable")
async def enable_rules(call: ConfirmableCall, raw: RawBody) -> Response:
    """Enable several rules in one commit."""
    return await _set_enabled(call, raw, True)


@_switch("/rules/disable")
async def disable_rules(call: ConfirmableCall, raw: RawBody) -> Response:
    """Disable several rules in one commit; they keep place and counters."""
    return await _set_enabled(call, raw, False)


@router.post(
    "/rules/reset-counters",
    responses=MANY,
    dependencies=[OPERATOR, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(SomeIdsBody, {"ids": ["r1"]}, {}, required=False),
)
async def reset_several(call: ChangeCall, raw: RawBody) -> Response:
    """Show the counters of several rules, or of all, from 0 on."""

    def work(firewall: Facade) -> Response:
        given = parse_body(SomeIdsBody, raw).ids if raw.strip() else None
        ids = None if given is None else _ids(given)
        call.check_revision(firewall)
        return json_answer(firewall.reset_counters(ids, by=call.by))

    return await call.write(work)


async def _set_enabled(call: Call, raw: bytes, enabled: bool) -> Response:
    def work(firewall: Facade) -> Response:
        ids = _ids(parse_body(IdsBody, raw).ids)
        call.check_revision(firewall)
        return json_answer(firewall.enable_rules(ids, enabled, by=call.by))

    return await call.write(work)


def _check_sets(firewall: Facade, rule: Rule, text: str) -> None:
    """The problem that adding a rule would answer which names an unknown set."""
    if not sets_named_by(rule):
        return
    try:
        check_sets_known([rule], [SetRow(one.name, 0, one.created) for one in firewall.sets().sets])
    except InvalidInput as error:
        word = str(error.value)
        if (start := text.find(word)) >= 0:
            error.span = (start, start + len(word))
        raise


def _may_name_set(text: str) -> bool:
    """Whether the word being typed may be an address: only then are the sets read."""
    return any(word in ("from", "to") for word in text.split()[-3:])


def _ids(ids: list[str]) -> list[str]:
    if not ids:
        raise invalid("ids", ids, "is empty", "one id at least")
    return ids


def _take_position(data: Any) -> tuple[Any, Where | None]:
    """The body without what says where the rule goes, and that; in a list only the first has it."""
    if isinstance(data, list):
        if not data:
            return data, None
        first, at = _take_position(data[0]) if isinstance(data[0], dict) else (data[0], None)
        for index, one in enumerate(data[1:], 1):
            for name in PLACES if isinstance(one, dict) else ():
                if name in one:
                    raise InvalidInput(
                        f"rule {index + 1}: {name}: only the first of a list has one, "
                        "the others follow it",
                        field=f"rules[{index}].{name}",
                        value=one[name],
                    )
        return [first, *data[1:]], at
    if not isinstance(data, dict):
        return data, None
    rest = {name: value for name, value in data.items() if name not in PLACES}
    return rest, parse_place({name: data.get(name) for name in PLACES})
