"""Everything that can go wrong, as one small tree.

    XdpwallError                  exit  http
    +-- Failed                       1   500   an operation broke half-way; it says what was kept
    |   +-- Full                     1   507   a map, the disk or a limit is full
    +-- InvalidInput                 2   422   a field, a word or a value is wrong
    +-- NotFound                     3   404
    +-- NeedsPrivileges              4   403
    |   +-- WrongRole                4   403   `role` would do
    +-- Conflict                     5   409   other mode, another owner, id taken, another namespace
    +-- Unsupported                  6   422   this interface, driver or kernel cannot
    +-- ServiceUnreachable           7   503
    +-- Refused                      8   409   a guard holds it back
        +-- LockOut                            it would cut a connection that must not be

A message says what came and what was wanted; `hint` says the next step; `code` is stable for
programs; `field` and `value` name the offending input; `detail` (errno, the verifier's last lines)
is for -v.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

ANOTHER_STATE = "another-state"
"""The code of the Conflict between the state folder and what the kernel holds."""

CHANGE_PENDING = "change-pending"
"""The code of the Conflict while a change waits for its confirmation."""

MISSING_PIN = "missing-pin"
"""The code of Failed where pins of maps were removed that may be in use."""

OTHER_NAMESPACE = "other-namespace"
"""The code of the Conflict with an instance that belongs to another network namespace."""


class XdpwallError(Exception):
    """Base of every error that xdpwall raises on purpose."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    default_code: ClassVar[str] = "failed"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        field: str | None = None,
        value: object = None,
        detail: str | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        """`span` is the (start, end) character range of the wrong word in a sentence."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.field = field
        self.value = value
        self.detail = detail
        self.span = span


class Failed(XdpwallError):
    """The operation broke; what was in force before still is."""


class Full(Failed):
    """A map, the disk or a stated limit has no room."""

    http_status = 507
    default_code = "full"


class InvalidInput(XdpwallError):
    """A field, a word of a sentence or a file's content is wrong."""

    exit_code = 2
    http_status = 422
    default_code = "invalid"


class NotFound(XdpwallError):
    """No such rule, interface or attachment."""

    exit_code = 3
    http_status = 404
    default_code = "not-found"


class NeedsPrivileges(XdpwallError):
    """The caller lacks a capability or may not open a file."""

    exit_code = 4
    http_status = 403
    default_code = "needs-privileges"


class WrongRole(NeedsPrivileges):
    """The caller's role does not cover what is asked for."""

    default_code = "wrong-role"
    role: str | None = None
    """The least role that would do."""


class Conflict(XdpwallError):
    """The state of the world is not what the request assumes."""

    exit_code = 5
    http_status = 409
    default_code = "conflict"


class Unsupported(XdpwallError):
    """The interface, its driver or the kernel cannot do it."""

    exit_code = 6
    http_status = 422
    default_code = "unsupported"


class ServiceUnreachable(XdpwallError):
    """The service was asked for and does not answer."""

    exit_code = 7
    http_status = 503
    default_code = "service-unreachable"


class Refused(XdpwallError):
    """A guard holds the request back; --force passes it."""

    exit_code = 8
    http_status = 409
    default_code = "refused"


class LockOut(Refused):
    """It would cut off who asks for it, or who is logged in."""

    default_code = "lock-out"

    def __init__(self, message: str, *, told: Mapping[str, Any] | None = None, **more: Any) -> None:
        """`told`: the same for programs; LockOutFields in api/errors.py says what stands there."""
        super().__init__(message, **more)
        self.told: Mapping[str, Any] = told or {}
