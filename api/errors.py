"""Every error as one shape: problem details (RFC 9457).

    {"type": "urn:xdpwall:invalid", "title": "A value is wrong", "status": 422,
     "detail": "...", "code": "invalid", "field"?, "value"?, "hint"?, "span"?, "role"?, "debug"?,
     "lock_out"?}

`type` is the kind of error (the tree in xdpwall/errors.py), or about:blank when HTTP itself was
used wrongly; `code` is stable and says exactly which; `debug` is errno or the verifier's last
lines, what `-v` shows.
"""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from xdpwall import errors as own
from xdpwall.api.body_checks import as_invalid_input
from xdpwall.values.terms import Place

MEDIA_TYPE = "application/problem+json"
MAX_VALUE = 300
"""Characters of an offending value that are repeated back."""

log = logging.getLogger("xdpwall.api")

TITLES: dict[type[own.XdpwallError], str] = {
    own.XdpwallError: "The operation broke; what was in force still is",
    own.Failed: "The operation broke; what was in force still is",
    own.Full: "There is no room",
    own.InvalidInput: "A value is wrong",
    own.NotFound: "There is no such thing",
    own.NeedsPrivileges: "A privilege is missing",
    own.WrongRole: "Another role is needed",
    own.Conflict: "The state of the world is another one",
    own.Unsupported: "The interface, its driver or the kernel cannot",
    own.ServiceUnreachable: "The service does not answer",
    own.Refused: "A guard holds it back",
    own.LockOut: "It would cut somebody off",
}
"""`title` of each class; its default code, after urn:xdpwall:, is `type`. Subclasses share both."""

HTTP_CODES = {
    404: "no-such-route",
    405: "method-not-allowed",
    413: "too-large",
}
"""The stable code of an error that the framework raises, by its status."""


class CutConnection(BaseModel):
    """A TCP connection that a change would cut."""

    model_config = ConfigDict(extra="forbid")

    whose: Literal["own", "login"] = Field(
        description="the asker's own, or from an address that is logged in"
    )
    user: str | None = Field(None, description="who is logged in from there, where it is known")
    peer: str
    peer_port: int
    local: str
    local_port: int
    iface: str
    place: Place
    words: str


class LockOutFields(BaseModel):
    """Why the guard refuses a change, and what passes it."""

    model_config = ConfigDict(extra="forbid")

    rule: str | None = Field(None, description="id of the rule that would drop their packets")
    position: int | None = Field(None, description="where it would stand, from 1")
    text: str | None = Field(None, description="its sentence")
    policy: str | None = Field(None, description="the part of the policy that would, and its value")
    connections: list[CutConnection] = Field(description="16 at most")
    count: int = Field(description="all of them")
    passed_by: list[Literal["force", "confirm"]] = Field(
        description="query parameters with which the change is made all the same"
    )


class Problem(BaseModel):
    """The body of every error response."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="urn:xdpwall:KIND, or about:blank when HTTP was used wrongly")
    title: str
    status: int
    detail: str
    code: str = Field(description="stable; says exactly what is wrong")
    field: str | None = Field(None, description="the offending field")
    value: Any = Field(None, description="what stood there")
    hint: str | None = Field(None, description="the next step")
    span: tuple[int, int] | None = Field(
        None, description="first and last+1 character of the wrong word in a sentence"
    )
    role: str | None = Field(None, description="with wrong-role: the least role that would do")
    debug: str | None = Field(None, description="errno, or the verifier's last lines")
    lock_out: LockOutFields | None = Field(
        None, description="with the code lock-out: whom the change would cut off, and why"
    )


class HttpError(HTTPException):
    """HTTP itself was used wrongly: no token, another media type, a stale If-Match, ..."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.hint = hint
        self.field = field


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    type: str = "about:blank",
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Make the response; `more` are field, value, hint, span, role and debug, left out when None."""
    body = _problem_fields(status, code, detail, type=type, title=title, **more)
    # ASCII: an offending value may hold what UTF-8 cannot carry, such as half a surrogate pair.
    content = json.dumps(body).encode()
    return Response(content, status, dict(headers or {}), MEDIA_TYPE)


def _problem_fields(
    status: int, code: str, detail: str, *, type: str, title: str | None, **more: Any
) -> dict[str, Any]:
    return {
        "type": type,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **{name: value for name, value in more.items() if value is not None},
    }


def problem_of(error: own.XdpwallError) -> Response:
    """The response to an error of the firewall."""
    return Response(json.dumps(problem_body(error)).encode(), error.http_status, {}, MEDIA_TYPE)


def problem_body(error: own.XdpwallError) -> dict[str, Any]:
    """The problem details of an error of the firewall."""
    kind = next(c for c in type(error).__mro__ if c in TITLES)
    return _problem_fields(
        error.http_status,
        error.code,
        error.message,
        type=f"urn:xdpwall:{kind.default_code}",
        title=TITLES[kind],
        field=error.field,
        value=_showable(error.value),
        hint=error.hint,
        span=list(error.span) if error.span else None,
        role=error.role if isinstance(error, own.WrongRole) else None,
        debug=error.detail,
        lock_out=error.told or None if isinstance(error, own.LockOut) else None,
    )


def http_problem(error: HTTPException) -> Response:
    """The response to a request that HTTP itself refuses."""
    code = getattr(error, "code", None) or HTTP_CODES.get(error.status_code, "bad-request")
    detail = str(error.detail)
    if not isinstance(error, HttpError) and error.status_code == 404:
        detail = "there is nothing at this address"
    return problem_response(
        error.status_code,
        code,
        detail,
        headers=error.headers,
        hint=getattr(error, "hint", None),
        field=getattr(error, "field", None),
    )


OUT_OF_RESOURCES = {
    errno.EMFILE: "the service has as many files open as it may: LimitNOFILE= in its unit",
    errno.ENFILE: "the machine has as many files open as it may: sysctl fs.file-max",
    errno.ENOSPC: "make room on that file system (df); filtering goes on, and `xdpwall off` works",
    errno.EDQUOT: "make room in that quota; filtering goes on, and `xdpwall off` works",
    errno.ENOMEM: "the machine, or the service's control group (MemoryMax=), has no memory left",
    errno.EROFS: "the file system is mounted read-only; see `findmnt`",
}
"""What no code is at fault for, wherever it comes up, and what to do about it."""


def unexpected_problem(error: Exception) -> Response:
    """The response to a defect: the log gets the traceback, the client the exception's type. What the
    system lacks is told as that."""
    if isinstance(error, OSError) and error.errno in OUT_OF_RESOURCES:
        where = f"{error.filename}: " if error.filename else ""
        detail = f"{where}{error.strerror}"
        log.error("%s", detail)
        hint = OUT_OF_RESOURCES[error.errno]
        return problem_response(503, "out-of-resources", detail, hint=hint)
    log.error("unexpected error", exc_info=error)
    return problem_response(
        500,
        "internal",
        f"unexpected {type(error).__name__}",
        hint="this is a defect of xdpwall; the service's log says more",
    )


def install_error_handlers(app: FastAPI) -> None:
    """Register handlers that answer every error of the app with problem details."""

    async def on_own(_: Request, error: Exception) -> Response:
        assert isinstance(error, own.XdpwallError)
        return problem_of(error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            allowed = _methods_at(request)
            error.detail = f"{request.method} is not allowed here; {allowed} is"
            error.headers = {"allow": allowed}
        return http_problem(error)

    async def on_parameter(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # The first part of a place is "query" or "path": the reader knows the parameter's name.
        return problem_of(as_invalid_input(error.errors()[0], skip=1))

    app.add_exception_handler(own.XdpwallError, on_own)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_parameter)


def _methods_at(request: Request) -> str:
    """Every method of the request's path, as Allow lists them (RFC 9110, section 10.2.1)."""
    found: set[str] = set()
    path = request.scope["path"]
    for prefix, route in request.app.state.served:
        if path.startswith(prefix) and route.path_regex.match(path[len(prefix) :]):
            found.update(route.methods or ())
    return ", ".join(sorted(found or {"GET", "HEAD"}))


def _showable(value: object) -> object:
    """The value as JSON, cut to MAX_VALUE characters; text where it is not JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        # 1e999 is JSON, what Python makes of it is not.
        return value if abs(value) < 2**63 else str(value)[:MAX_VALUE]
    if isinstance(value, str):
        return value if len(value) <= MAX_VALUE else f"{value[:MAX_VALUE]}..."
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    else:
        if len(text) <= MAX_VALUE:
            return value
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}..."
