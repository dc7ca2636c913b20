"""/sets: named collections of addresses and prefixes that rules refer to as @name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body, parse_object
from xdpwall.api.openapi import examples_sets as examples
from xdpwall.api.openapi.bodies import SetBody, SetEntriesBody, SetNameBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    MESSAGE_ALONE,
    MESSAGE_AND_BODY,
    NO_INPUT,
    ChangeCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
)
from xdpwall.api.roles import OPERATOR, READ
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.sets.content import SetContent
from xdpwall.values.addresses import parse_set_name
from xdpwall.values.time_read import parse_expiry
from xdpwall.views.rules import DeleteOutcome
from xdpwall.views.sets import SetChange, SetList, SetOutcome, SetShown, SetTest

router = APIRouter(tags=["sets"])

MAX_LISTED = 100_000
"""Entries in one answer."""


@router.get("/sets", responses=answer_docs(SetList, examples.SETS), dependencies=[READ, *NO_INPUT])
async def list_sets(call: ReadCall) -> Response:
    """Every set, by name, without its entries."""
    return await call.read(lambda firewall: json_answer(firewall.sets()))


@router.post(
    "/sets",
    responses=answer_docs(SetOutcome, examples.SET_CHANGED),
    dependencies=[OPERATOR, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(SetNameBody, {"name": "bad"}),
)
async def create_set(call: ChangeCall, raw: RawBody) -> Response:
    """Make an empty set; one of this name that is there already stays as it is."""

    def work(firewall: Facade) -> Response:
        name = parse_set_name("name", parse_body(SetNameBody, raw).name)
        return json_answer(firewall.create_set(name, by=call.by))

    return await call.write(work)


@router.get(
    "/sets/{name}",
    responses=answer_docs(SetShown, examples.SET_SHOWN),
    dependencies=[READ, allow_query("start", "limit")],
)
async def show_set(
    call: ReadCall,
    name: str,
    start: Annotated[int, Query(ge=0, description="the first entry's place, from 0")] = 0,
    limit: Annotated[int, Query(ge=0, le=MAX_LISTED, description="at most so many")] = 1000,
) -> Response:
    """One set and a part of its entries: IPv4 addresses, IPv4 prefixes, IPv6 addresses, IPv6 prefixes."""

    def work(firewall: Facade) -> Response:
        found = firewall.set(name)
        rows = firewall.set_entries(name, start=start, limit=limit)
        return json_answer(SetShown(set=found, start=start, entries=rows.entries))

    return await call.read(work)


@router.put(
    "/sets/{name}",
    responses=answer_docs(SetOutcome, examples.SET_CHANGED),
    dependencies=[OPERATOR, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(SetBody, *examples.SET_BODIES),
)
async def replace_set(call: ChangeCall, name: str, raw: RawBody) -> Response:
    """Make the set hold exactly these entries, in one switch; it is made when it is not there."""

    def work(firewall: Facade) -> Response:
        parse_set_name("name", name)
        content = SetContent.parse(parse_object(raw))
        outcome = firewall.replace_set(
            name,
            content.entries,
            timeouts=content.timeouts or None,
            allow_empty=content.allow_empty,
            most_shrink=content.most_shrink,
            by=call.by,
        )
        return json_answer(outcome)

    return await call.write(work)


@router.delete(
    "/sets/{name}",
    responses=answer_docs(DeleteOutcome, examples.SET_DELETED),
    dependencies=[OPERATOR, *MESSAGE_ALONE],
)
async def delete_set(call: ChangeCall, name: str) -> Response:
    """Delete a set that no rule names."""
    return await call.write(lambda firewall: json_answer(firewall.delete_set(name, by=call.by)))


@router.post(
    "/sets/{name}/entries",
    responses=answer_docs(SetChange, examples.SET_ENTRIES_CHANGED),
    dependencies=[OPERATOR, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(SetEntriesBody, *examples.SET_ENTRIES),
)
async def change_entries(call: ChangeCall, name: str, raw: RawBody) -> Response:
    """Add and remove entries, all or none; what is added gets `expires`, or stays for good."""

    def work(firewall: Facade) -> Response:
        body = parse_body(SetEntriesBody, raw)
        if not body.add and not body.remove:
            raise InvalidInput("body: names no entry to add or remove", field="body")
        expires = None if body.expires is None else parse_expiry("expires", body.expires)
        return json_answer(
            firewall.change_set(name, add=body.add, remove=body.remove, expires=expires, by=call.by)
        )

    return await call.write(work)


@router.get(
    "/sets/{name}/test",
    responses=answer_docs(SetTest, examples.SET_TESTED),
    dependencies=[READ, allow_query("address")],
)
async def test_set(
    call: ReadCall,
    name: str,
    address: Annotated[str, Query(description="an IPv4 or IPv6 address")],
) -> Response:
    """Whether an address is in the set, and by which entries."""
    return await call.read(lambda firewall: json_answer(firewall.test_set(name, address)))
