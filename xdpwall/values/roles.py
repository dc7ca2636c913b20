"""Roles: what a caller of the service may do. Each covers those before it. Pure."""

from __future__ import annotations

from typing import Any, Literal, cast, get_args

from xdpwall.errors import WrongRole

from .inputs import parse_choice

Role = Literal["metrics", "read", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

MEANINGS: dict[Role, str] = {
    "metrics": "GET /metrics",
    "read": "all that changes nothing, but for packet bytes",
    "operator": "rules, sets, blocks, policy, confirm and rollback; packet bytes",
    "admin": "attach and detach, the switch, settings, tokens, restore, repair, adopt",
}
"""What each may do besides what the one before may."""

_RANK = {role: rank for rank, role in enumerate(ROLES)}


def rank_of(role: Role | None) -> int:
    """A role's place among ROLES, by which requests are held against it; -1 for none."""
    return -1 if role is None else _RANK[role]


def covers(role: Role | None, needed: Role) -> bool:
    """Whether `role` may do what `needed` may; None is nobody in particular, who may nothing."""
    return rank_of(role) >= _RANK[needed]


def highest(roles: list[Role]) -> Role | None:
    """The role that covers all of these; None for none."""
    return max(roles, key=_RANK.__getitem__, default=None)


def parse_role(field: str, value: Any) -> Role:
    """One of ROLES by its name."""
    return cast(Role, parse_choice(field, value, ROLES))


def wrong_role(what: str, needed: Role, who: str, role: Role | None, *, local: bool) -> WrongRole:
    """The error for `who`, of this role, that asks for what needs another; `local`: by the unix socket."""
    error = WrongRole(
        f"{what} needs the role {needed}; {who} has {f'the role {role}' if role else 'none'}",
        hint="run it as root (sudo), or see [roles] in /etc/xdpwall/config.toml"
        if local
        else f"a token that may: sudo xdpwall token add NAME --role {needed}",
    )
    error.role = needed
    return error
