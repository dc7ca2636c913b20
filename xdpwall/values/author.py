"""The author of a change, and the terms on which it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .roles import Role, covers, wrong_role

if TYPE_CHECKING:
    from .session import LoginSession

MAX_CONFIRM = 3600
"""Seconds that a change may wait for its confirmation."""


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a change: name, way in, and message; and whether it has to be confirmed."""

    name: str = "cli"
    """"uid 0", "token grafana", ..."""
    via: str = "cli"
    """cli, socket, tcp, page"""
    message: str | None = None
    confirm: int | None = None
    """Seconds after which the kernel takes the change back unless it is confirmed; None: it stays."""
    address: str | None = None
    """The client's, where it is known."""
    role: Role = "admin"
    """What the author may do at most; whoever can open the state folder may do everything."""
    session: LoginSession | None = None
    """The connection by which it is asked for, which a change must not cut; None: none is known."""
    force: bool = False
    """The guards only warn."""
    may_confirm: bool = False
    """Where it is asked for, `confirm` could have been given."""

    def require(self, needed: Role, what: str) -> None:
        """WrongRole where `what`, which this author asks for, takes more than his role."""
        if not covers(self.role, needed):
            raise wrong_role(what, needed, self.name, self.role, local=self.via == "socket")
