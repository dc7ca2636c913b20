"""Dependencies and answers that routes share: the call, the raw body, query checks, ETags."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from xdpwall.api.errors import HttpError
from xdpwall.api.rule_json import RuleJsonCache
from xdpwall.api.serving.caller import Caller, caller_of
from xdpwall.api.serving.workers import Workers
from xdpwall.errors import InvalidInput, ServiceUnreachable
from xdpwall.firewall.facade import Facade, ServiceFacade
from xdpwall.rule.field_names import READ_ONLY_FIELDS
from xdpwall.rule.fields import parse_line
from xdpwall.values.author import MAX_CONFIRM, Author
from xdpwall.values.inputs import invalid
from xdpwall.values.session import LoginSession, read_session

T = TypeVar("T")

SESSION = "xdpwall-session"
"""A header of the command line's requests: the login's connection, as SSH_CONNECTION has it."""
_LONGEST_SESSION = 200
DEADLINE = "xdpwall-deadline"
"""A request's header: the CLOCK_MONOTONIC, in ns, after which its change must not begin any more."""
_NOT_IN_ETAG = frozenset(READ_ONLY_FIELDS) - {"text", "created"}
"""Fields of a rule's view that change without a change of the rule."""


_CONTROLS = re.compile(rb"\x7f|\xc2[\x80-\x9f]")
"""DEL and C1 in UTF-8, which JSON lets stand: a terminal that shows an answer would obey them."""

ADOPT = "also in the place of what the state folder does not know"
"""The description of the query parameter."""


class Terms(NamedTuple):
    """On which terms a change is asked for."""

    message: str | None = None
    confirm: int | None = None
    force: bool = False
    may_confirm: bool = False
    """The route takes `confirm`."""


class Call:
    """One request: its author, its conditions, and access to the firewall in worker threads."""

    def __init__(self, request: Request, terms: Terms) -> None:
        self._request = request
        self.workers: Workers = request.app.state.workers
        self.rule_json: RuleJsonCache = request.app.state.events.rule_json
        caller = caller_of(request.scope)
        self.by = author_of(caller, terms, _session(request, caller), _address(request))

    async def read(self, work: Callable[[ServiceFacade], T]) -> T:
        """Run `work` in a reader thread."""
        return await self.workers.read(work)

    async def write(self, work: Callable[[Facade], T]) -> T:
        """Run `work` in the writer thread: what it checks first still holds when it acts."""
        deadline = self._request.headers.get(DEADLINE)
        if deadline is None:
            return await self.workers.write(work)

        def in_time(firewall: Facade) -> T:
            check_deadline(deadline)
            return work(firewall)

        return await self.workers.write(in_time)

    def check_if_match(self, current: Callable[[], str]) -> None:
        """HttpError 412 when If-Match does not name the ETag that `current()` gives."""
        given = self._request.headers.getlist("if-match")
        if not given:
            return
        etag = current()
        wanted = [tag.strip() for line in given for tag in line.split(",")]
        if etag not in wanted and "*" not in wanted:
            raise HttpError(
                412,
                "changed",
                "it has been changed since it was read",
                hint="read it again and decide anew",
                field="if-match",
                headers={"etag": etag},
            )

    def check_revision(self, firewall: Facade) -> None:
        """HttpError 412 when If-Match does not name the revision in force."""
        self.check_if_match(lambda: revision_etag(firewall.ruleset()[0]))


def check_deadline(deadline: str) -> None:
    """Refuse a change whose sender has gone past this service meanwhile, and done it without.

    A request waits in a socket or a queue while the service hangs or is busy; its sender may have
    taken the change back since.
    """
    if not deadline.isdecimal() or time.monotonic_ns() > int(deadline[:20]):
        raise ServiceUnreachable(
            "the change was asked for until a moment that is over", code="too-late", field=DEADLINE
        )


def author_of(
    caller: Caller,
    terms: Terms = Terms(),  # noqa: B008  # a tuple
    session: LoginSession | None = None,
    address: str | None = None,
) -> Author:
    """The author that the audit trail records for a caller; a client over TCP has an address."""
    return Author(
        name=caller.name,
        via=caller.via,
        message=terms.message,
        confirm=terms.confirm,
        address=None if caller.via == "socket" else address,
        # Nobody in particular changes nothing: his role is asked for before.
        role=caller.role or "metrics",
        session=session,
        force=terms.force,
        may_confirm=terms.may_confirm,
    )


def _session(request: Request, caller: Caller) -> LoginSession | None:
    """The connection that a change must not cut: the request's own, or over the unix socket that of the
    login from which it comes. Over TCP nobody is believed what a header says."""
    if caller.via == "socket":
        told = request.headers.get(SESSION)
        return None if told is None else read_session(told[:_LONGEST_SESSION])
    client, server = request.scope.get("client"), request.scope.get("server")
    if not client or not server or not server[1]:
        return None
    return read_session(f"{client[0]} {client[1]} {server[0]} {server[1]}")


def _address(request: Request) -> str | None:
    return None if request.client is None else request.client.host


# Dependencies are coroutines: FastAPI gives each plain function a thread of its own to run in, at
# 0.2 ms apiece.


async def _read_call(request: Request) -> Call:
    return Call(request, Terms())


MessageQuery = Annotated[str | None, Query(description="goes into the history")]
ForceQuery = Annotated[
    bool, Query(description="also where it cuts off who asks, or who is logged in")
]


async def _change_call(
    request: Request, message: MessageQuery = None, force: ForceQuery = False
) -> Call:
    _check_message(message)
    return Call(request, Terms(message, force=force))


async def _confirmable_call(
    request: Request,
    message: MessageQuery = None,
    force: ForceQuery = False,
    confirm: Annotated[
        int | None,
        Query(
            ge=1,
            le=MAX_CONFIRM,
            description="taken back after so many seconds, unless POST /ruleset/confirm comes first",
        ),
    ] = None,
) -> Call:
    _check_message(message)
    return Call(request, Terms(message, confirm, force, may_confirm=True))


def _check_message(message: str | None) -> None:
    if message is not None:
        parse_line("message", message)


async def _raw_body(request: Request) -> bytes:
    return await request.body()


QUERY_CHECKS: set[Callable[..., Any]] = set()
"""The dependencies that `allow_query` made: a request without a query passes all of them."""


def allow_query(*names: str) -> Any:
    """Make a dependency that refuses any other query parameter, and any that is given twice."""

    async def check(request: Request) -> None:
        for name, value in request.query_params.multi_items():
            if name not in names:
                hint = f"known: {', '.join(names)}" if names else "it takes none"
                raise invalid(name, value, "stands in an unknown parameter", hint=hint)
            if len(request.query_params.getlist(name)) > 1:
                raise invalid(name, value, "is given twice", "one value")

    QUERY_CHECKS.add(check)
    return Depends(check)


async def no_body(raw: Annotated[bytes, Depends(_raw_body)]) -> None:
    """Refuse a body; a dependency of routes that read none."""
    if raw.strip():
        raise InvalidInput("body: this request takes none", field="body")


ReadCall = Annotated[Call, Depends(_read_call)]
ChangeCall = Annotated[Call, Depends(_change_call)]
ConfirmableCall = Annotated[Call, Depends(_confirmable_call)]
"""A change that may wait for its confirmation."""
RawBody = Annotated[bytes, Depends(_raw_body)]
NO_INPUT = [allow_query(), Depends(no_body)]
"""Dependencies of routes that take neither query parameters nor a body."""
MESSAGE_AND_BODY = [allow_query("message", "force")]
"""Dependencies of routes that change something and read a body."""
CONFIRM_AND_BODY = [allow_query("message", "force", "confirm")]
"""The same for changes that may wait for their confirmation."""
CONFIRM_ALONE = [allow_query("message", "force", "confirm"), Depends(no_body)]
MESSAGE_ALONE = [allow_query("message", "force"), Depends(no_body)]
"""Dependencies of routes that change something and take no body."""


def json_answer(
    what: BaseModel | dict[str, Any],
    status: int = 200,
    *,
    etag: str | None = None,
    location: str | None = None,
) -> Response:
    """Make the JSON response without absent fields. Call it in a worker thread: it can be large."""
    if isinstance(what, BaseModel):
        content = what.model_dump_json(exclude_none=True, by_alias=True).encode()
    else:
        content = json.dumps(what, ensure_ascii=False).encode()
    content = _CONTROLS.sub(_escape_control, content)
    headers = {"etag": etag, "location": location}
    kept = {name: value for name, value in headers.items() if value is not None}
    return Response(content, status, kept, "application/json")


def _escape_control(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


def revision_etag(revision: int) -> str:
    """The ETag of /rules and /ruleset."""
    return f'"{revision}"'


def rule_etag(rule: Mapping[str, Any]) -> str:
    """The ETag of one rule, from its view as JSON without counters and position."""
    said = {name: value for name, value in rule.items() if name not in _NOT_IN_ETAG}
    data = json.dumps(said, sort_keys=True)
    return f'"{hashlib.sha256(data.encode()).hexdigest()[:16]}"'
