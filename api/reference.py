"""docs/reference/roles.md out of what the routes declare: `python -m xdpwall.api.reference`.

A test compares the file with what this makes.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from fastapi.routing import APIRoute

from xdpwall.api.app import PREFIX, ROUTERS
from xdpwall.api.roles import role_of
from xdpwall.values.roles import MEANINGS, ROLES, covers

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "roles.md"
_HEAD = """\
<!-- Made by `python -m xdpwall.api.reference`; change the routes, not this page. -->
# Roles

Each covers those above it. Users of this host get theirs by name or group
([/etc/xdpwall/config.toml](../guides/who-may-what.md)), programs and browsers by their token.
"""
_TABLE = f"""\
Every route needs one role; it is declared where the route is defined, and the OpenAPI document has it as `x-role`.
403 is the answer `wrong-role`, with the least role that would do in `role`. Below {PREFIX}, over the unix socket and
over TCP alike:
"""
_MORE = """\
More than the route says needs a request with

- `PUT /ruleset` whose `attachments` differ from those there are: admin;
- `?adopt=true`: admin.

`GET /events` leaves out the bytes of packets (`data`) for the role read. `/healthz` and `/metrics` at the root are the
same routes; the page's files are open. Without a token a request over TCP is answered by 401 wherever a role is needed.
"""


def reference_page() -> str:
    """The whole page as Markdown."""
    lines = [_HEAD, "| role | may, besides |", "|---|---|"]
    lines += [f"| {role} | {meaning} |" for role, meaning in MEANINGS.items()]
    lines += ["", _TABLE, f"| route | {' | '.join(ROLES)} | what it does |"]
    lines += [f"|---|{'---|' * len(ROLES)}---|"]
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            lines += [_row(method, route) for method in sorted(route.methods or ())]
    return "\n".join([*lines, "", _MORE])


def _row(method: str, route: APIRoute) -> str:
    needed = role_of(route).role
    cells = ["yes" if needed is None or covers(role, needed) else "403" for role in ROLES]
    first = inspect.getdoc(route.endpoint) or ""
    what = first.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
    return f"| `{method} {route.path}` | {' | '.join(cells)} | {what} |"


if __name__ == "__main__":
    TARGET.write_text(reference_page(), encoding="utf-8")
