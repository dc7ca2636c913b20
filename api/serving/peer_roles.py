"""The roles of this host's users, out of /etc/xdpwall/config.toml.

[roles.users]
alice = "admin"
[roles.groups]
xdpwall = "operator"        # what it is when nothing is said
monitoring = "metrics"
[roles.certificates]        # names in client certificates, with TLS
"grafana.example" = "read"
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from xdpwall.errors import InvalidInput
from xdpwall.values.inputs import invalid, parse_choice
from xdpwall.values.roles import ROLES, Role, highest

log = logging.getLogger("xdpwall.api")

DEFAULT_GROUP = "xdpwall"
TABLES = ("users", "groups", "certificates")
"""The tables below `roles`."""
NONE: Literal["none"] = "none"
"""In config.toml: this user or group may nothing."""


class PeerRoles:
    """Users and groups by number, with their roles."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """`config` is the table `roles`. InvalidInput names the entry that is wrong; a user or a group
        that is not there is told in the log, and nobody then."""
        config = config or {}
        for name in config:
            if name not in TABLES:
                wanted = "users, groups or certificates"
                raise invalid(f"roles.{name}", config[name], "is not known", wanted)
        self._users = _numbers("users", config.get("users", {}), _uid)
        groups = {DEFAULT_GROUP: "operator", **_table("groups", config.get("groups", {}))}
        quiet = DEFAULT_GROUP not in config.get("groups", {})
        self._groups = _numbers("groups", groups, _gid, quiet=quiet)
        if self._users.get(0, "admin") != "admin":
            raise InvalidInput(
                "roles.users: root is admin, whatever stands here: he could take it",
                field="roles.users",
                value="root",
            )
        self._certificates = {
            name: _role("certificates", name, value)
            for name, value in _table("certificates", config.get("certificates", {})).items()
        }
        # What this process may, its user may.
        self._admins = {0, os.geteuid()} - (set(self._users) - {0})

    def role_of_certificate(self, names: tuple[str, ...]) -> tuple[str, Role | None]:
        """The name that has a role, and that; the first name and None where none has."""
        for name in names:
            if name in self._certificates:
                return name, self._certificates[name]
        return names[0], None

    def role_of(self, uid: int | None, groups: tuple[int, ...]) -> Role | None:
        """A user's own role where he has one, else the highest of his groups'; None for none."""
        if uid is None:
            return None
        if uid in self._admins:
            return "admin"
        if uid in self._users:
            return self._users[uid]
        found = [role for group in groups if (role := self._groups.get(group)) is not None]
        return highest(found)


def _table(kind: str, table: Any) -> Mapping[str, Any]:
    if not isinstance(table, dict):
        raise invalid(f"roles.{kind}", table, "is no table", 'NAME = "ROLE" lines')
    return table


def _numbers(
    kind: str, table: Any, number_of: Callable[[str], int], *, quiet: bool = False
) -> dict[int, Role | None]:
    found: dict[int, Role | None] = {}
    for name, value in _table(kind, table).items():
        role = _role(kind, name, value)
        try:
            number = number_of(name)
        except KeyError:
            if not (quiet and name == DEFAULT_GROUP):
                log.warning("config.toml: roles.%s: there is no %r here", kind, name)
            continue
        found[number] = role
    return found


def _role(kind: str, name: str, value: Any) -> Role | None:
    role = parse_choice(f"roles.{kind}.{name}", value, (*ROLES, NONE))
    return None if role == NONE else cast(Role, role)


def _uid(name: str) -> int:
    return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid


def _gid(name: str) -> int:
    return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
