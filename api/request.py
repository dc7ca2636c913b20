"""What routes share: one request's way to the firewall, its body, its answer, its ETag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from xdpwall.api.cut_off import browser, cut_off, ssh_sessions
from xdpwall.api.errors import HttpError
from xdpwall.api.rule_json import RuleTexts
from xdpwall.api.serving.guard import PEER, Peer
from xdpwall.api.serving.workers import Workers
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade, ServiceFacade
from xdpwall.rule.rule import Rule
from xdpwall.values.author import Author
from xdpwall.values.inputs import invalid

T = TypeVar("T")

LONGEST_MESSAGE = 256
COUNTED = {"position", "packets", "bytes", "last_hit", "expired"}
"""What changes in a rule that is read back without anybody changing the rule."""


class Call:
    """One request: who asks, and the way to the firewall."""

    def __init__(self, request: Request, message: str | None) -> None:
        self._request = request
        self.workers: Workers = request.app.state.workers
        self.texts: RuleTexts = request.app.state.events.texts
        self.by = author_of(request.scope.get(PEER, Peer()), message)

    async def read(self, work: Callable[[ServiceFacade], T]) -> T:
        """Run `work` in a reader's thread."""
        return await self.workers.read(work)

    async def write(self, work: Callable[[Facade], T]) -> T:
        """Run `work` alone among the changes; what it checks first still holds when it acts."""
        return await self.workers.write(work)

    def cut_off(self, rule: Rule, firewall: Facade) -> list[str]:
        """Whom a rule would cut off, who asks among them; in a worker's thread."""
        scope = self._request.scope
        sessions = [*ssh_sessions(), *browser(scope.get("client"), scope.get("server"))]

        def attached() -> set[str]:
            return {one.name for one in firewall.interfaces().interfaces if one.attachments}

        return cut_off(rule, sessions, attached)

    def expect(self, current: Callable[[], str]) -> None:
        """412 when If-Match names none of the current ETag; `current` is asked only if needed."""
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

    def expect_revision(self, firewall: Facade) -> None:
        """412 unless If-Match, where given, names the revision in force."""
        self.expect(lambda: revision_etag(firewall.ruleset()[0]))


def author_of(peer: Peer, message: str | None) -> Author:
    """Who goes into the history."""
    name = f"uid {peer.uid}" if peer.via == "socket" else "token"
    return Author(name=name, via=peer.via, message=message)


# Dependencies are coroutines: FastAPI gives each plain function a thread of its own to run in, at
# 0.2 ms apiece.


async def _reading(request: Request) -> Call:
    return Call(request, None)


async def _changing(
    request: Request,
    message: Annotated[str | None, Query(description="goes into the history")] = None,
) -> Call:
    if message is not None and (not message.isprintable() or len(message) > LONGEST_MESSAGE):
        wanted = f"one line of at most {LONGEST_MESSAGE} characters"
        raise invalid("message", message, "is wrong", wanted)
    return Call(request, message)


async def _raw(request: Request) -> bytes:
    return await request.body()


QUERY_CHECKS: set[Callable[..., Any]] = set()
"""What `only` made: they have nothing against a request without a query."""


def only(*names: str) -> Any:
    """A dependency that refuses query parameters other than these: none is ignored."""

    async def check(request: Request) -> None:
        for name, value in request.query_params.multi_items():
            if name not in names:
                hint = f"known: {', '.join(names)}" if names else "it takes none"
                raise invalid(name, value, "stands in an unknown parameter", hint=hint)
            if len(request.query_params.getlist(name)) > 1:
                raise invalid(name, value, "is given twice", "one value")

    QUERY_CHECKS.add(check)
    return Depends(check)


async def no_body(raw: Annotated[bytes, Depends(_raw)]) -> None:
    """A dependency that refuses a body where none is read."""
    if raw.strip():
        raise InvalidInput("body: this request takes none", field="body")


Reading = Annotated[Call, Depends(_reading)]
Changing = Annotated[Call, Depends(_changing)]
Raw = Annotated[bytes, Depends(_raw)]
NOTHING = [only(), Depends(no_body)]
"""For routes that read: neither parameters nor a body."""
CHANGE = [only("message")]
"""For routes that change and take a body."""
BARE_CHANGE = [only("message"), Depends(no_body)]
"""For routes that change and take none."""


def answer(
    what: BaseModel | dict[str, Any],
    status: int = 200,
    *,
    etag: str | None = None,
    location: str | None = None,
) -> Response:
    """The JSON answer, absent fields left out. Made in the worker's thread: it can be large."""
    if isinstance(what, BaseModel):
        content = what.model_dump_json(exclude_none=True, by_alias=True)
    else:
        content = json.dumps(what, ensure_ascii=False)
    headers = {"etag": etag, "location": location}
    kept = {name: value for name, value in headers.items() if value is not None}
    return Response(content.encode(), status, kept, "application/json")


def revision_etag(revision: int) -> str:
    """The ETag of /rules and /ruleset."""
    return f'"{revision}"'


def rule_etag(rule: Mapping[str, Any]) -> str:
    """The ETag of one rule, of its view as JSON: neither its counters nor another rule's change
    alters it."""
    said = {name: value for name, value in rule.items() if name not in COUNTED}
    data = json.dumps(said, sort_keys=True)
    return f'"{hashlib.sha256(data.encode()).hexdigest()[:16]}"'
