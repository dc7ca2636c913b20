"""docs/reference/routes.md: every path of the service's own OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

from xdpwall.api.app import PREFIX, create_app

from .markdown import code, page, table

_HEAD = f"""\
Every path below `{PREFIX}`, out of the service's own document, which it answers at `{PREFIX}/openapi.json`. Bodies and
answers are examples that the tests send and check; the document has their schemas. [What no table
says](api.md) of tokens, large bodies, events and health stands by itself; [roles](roles.md) has every path by role,
and [error codes](errors.md) what to do where one is refused. On this host, with `SOCKET` for
`/run/xdpwall/xdpwall.sock`:

    curl --unix-socket SOCKET http://localhost{PREFIX}/rules --json '{{"text": "drop icmp on docker0"}}'

Each change takes `?message=` for the history, and `?force=true` past the guards; where `confirm` stands among its
parameters, `?confirm=60` lets the kernel take the change back after so many seconds."""
_COMMON = ("message", "force")
_MOST_LINES = 60
"""Of an example; a longer one is left to the document."""

Operation = dict[str, Any]


def document() -> dict[str, Any]:
    """The OpenAPI document, with nothing behind it: to describe the routes asks no firewall."""
    found: dict[str, Any] = create_app(Mock(), callers=Mock()).openapi()
    return found


def routes_page() -> str:
    """The page as Markdown."""
    paths = document()["paths"]
    parts = [
        _section(method.upper(), path.removeprefix(PREFIX), operation)
        for path, methods in paths.items()
        if path.startswith(PREFIX)
        for method, operation in methods.items()
    ]
    return page("REST paths", _HEAD, *parts)


def _section(method: str, path: str, operation: Operation) -> str:
    what, _, more = operation["description"].partition("\n\nRole:")
    role = operation.get("x-role")
    lines = [f"## {method} {path}", what or more]
    lines.append(f"Role: [{role}](roles.md)." if role else "Open: needs no role.")
    rows = [
        [code(one["name"]), one["in"], _values(one.get("schema", {})), one.get("description", "")]
        for one in operation.get("parameters", ())
        if one["name"] not in _COMMON
    ]
    if rows:
        lines.append(table(["parameter", "in", "values", ""], rows))
    bodies = list(_examples(operation.get("requestBody", {}).get("content", {})))
    if bodies:
        lines.append("Body:" if len(bodies) == 1 else "Body, one of:")
        lines += [_block(one) for one in bodies]
    for status, answer in sorted(operation["responses"].items()):
        for example in (
            [] if status == "default" else list(_examples(answer.get("content", {})))[:1]
        ):
            if (shown := _block(example)).count("\n") <= _MOST_LINES:
                lines += [f"Answers {status}:", shown]
    return "\n\n".join(lines)


def _examples(content: dict[str, Any]) -> Iterator[Any]:
    for one in content.values():
        if "example" in one:
            yield one["example"]
        yield from (named["value"] for named in one.get("examples", {}).values())


def _block(example: Any) -> str:
    if isinstance(example, str):
        return f"```text\n{example.rstrip()}\n```"
    return f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```"


def _values(schema: dict[str, Any]) -> str:
    options = [one for one in schema.get("anyOf", [schema]) if one != {"type": "null"}]
    said = []
    for one in options:
        if "enum" in one or "const" in one:
            said.append(
                ", ".join(code(str(value)) for value in one.get("enum", [one.get("const")]))
            )
        elif one.get("type") == "boolean":
            said.append("true, false")
        elif "minimum" in one and "maximum" in one:
            said.append(f"{one['minimum']:,} to {one['maximum']:,}")
        elif "minimum" in one:
            said.append(f"from {one['minimum']:,}")
        else:
            said.append(one.get("format", one.get("type", "text")).replace("string", "text"))
    return " or ".join(dict.fromkeys(said))
