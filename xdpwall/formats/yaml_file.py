"""Reads and writes YAML 1.2 for ruleset files: the core schema and nothing else. Pure.

ruamel.yaml composes nodes, and this module builds the data from them, so that each value's line is
known, a time stays text, and a tag (`src: !10.0.0.0/8` without quotes is one) is refused with a
hint.
"""

from __future__ import annotations

import re
from typing import Any

from xdpwall.errors import InvalidInput
from xdpwall.values.inputs import printable, quoted
from xdpwall.values.rate_text import rate_text

from .yaml_fast import read_yaml_fast
from .yaml_scalar import parse_scalar

_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./,:-]*(?<!:)", re.ASCII)
_STANDARD = "tag:yaml.org,2002:"
_DEPTH = 5


def read_yaml(text: str, name: str) -> tuple[object, dict[str, int]]:
    """(the data, field -> line), by the fast reader if it can. Raises InvalidInput."""
    return read_yaml_fast(text) or compose_yaml(text, name)


def compose_yaml(text: str, name: str) -> tuple[object, dict[str, int]]:
    """(the data, field -> line) of any YAML, by ruamel.yaml. Raises InvalidInput."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise InvalidInput(
            f"{name}: {place}not YAML: {error.problem or error.context}",
            field="file",
            value=name,
            hint="values that begin with @, !, * or & or hold ': ' or ' #' need quotes",
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        words = (
            "nested too deeply"
            if isinstance(error, RecursionError)
            else printable(str(error)[:200])
        )
        raise InvalidInput(f"{name}: not YAML: {words}", field="file", value=name) from None
    builder = _Builder(name)
    return (None if node is None else builder.build(node, "", 0)), builder.lines


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[str, int] = {}
        self.count = 0

    def build(self, node: Any, path: str, depth: int) -> object:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.count += 1
        # Anchors let a small file grow without end; no ruleset is as deep or as large as this.
        if depth > _DEPTH or self.count > 1_000_000:
            raise self._refuse(line, "nested too deeply, or too large", None)
        if node.id == "scalar":
            return self._scalar(node, path, line)
        if node.id == "sequence":
            self._standard(node, "seq", path, line)
            return [
                self.build(one, f"{path}[{index}]", depth + 1)
                for index, one in enumerate(node.value)
            ]
        self._standard(node, "map", path, line)
        found: dict[object, object] = {}
        for key_node, value_node in node.value:
            key = self.build(key_node, "", depth + 1)
            key_line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise self._refuse(key_line, "a name of a field is not text", path)
            if key in found:
                raise self._refuse(key_line, f"{key[:40]!r} stands twice in one object", path)
            inner = f"{path}.{key}" if path else key
            self.lines[inner] = key_line
            found[key] = self.build(value_node, inner, depth + 1)
        return found

    def _scalar(self, node: Any, path: str, line: int) -> object:
        tag = str(node.tag)
        if tag == "!":
            return node.value
        if not tag.startswith(_STANDARD):
            raise self._refuse(
                line,
                f"{quoted(tag)} is a YAML tag here",
                path,
                "a value that begins with ! needs quotes",
            )
        if node.style is not None or tag == _STANDARD + "str":
            return node.value
        return parse_scalar(node.value)

    def _standard(self, node: Any, kind: str, path: str, line: int) -> None:
        if str(node.tag) != _STANDARD + kind:
            raise self._refuse(line, f"{quoted(str(node.tag))} is a YAML tag here", path)

    def _refuse(
        self, line: int, problem: str, path: str | None, hint: str | None = None
    ) -> InvalidInput:
        return InvalidInput(
            printable(f"{self.name}: line {line}: {path + ': ' if path else ''}{problem}"),
            field=printable(path or "file"),
            hint=hint,
        )


def write_yaml(data: dict[str, Any]) -> str:
    """Format a ruleset's JSON object as block YAML, which `read_yaml` reads back unchanged."""
    lines = [f"version: {data['version']}", "policy:"]
    lines += [f"  {name}: {_scalar_text(value)}" for name, value in data["policy"].items()]
    if "flows" in data:
        lines += ["flows:", "  timeouts:"]
        lines += [f"    {name}: {value}" for name, value in data["flows"]["timeouts"].items()]
    if "sets" in data:
        lines.append("sets:" if data["sets"] else "sets: {}")
        for name, content in data["sets"].items():
            lines += [f"  {_scalar_text(name)}:", *_set_lines(content)]
    for section in ("rules", "attachments"):
        if section not in data:
            continue
        lines.append(f"{section}:" if data[section] else f"{section}: []")
        for one in data[section]:
            mark = "  - "
            for name, value in one.items():
                lines.append(f"{mark}{name}: {_scalar_text(value)}")
                mark = "    "
    return "\n".join(lines) + "\n"


def _set_lines(content: dict[str, Any]) -> list[str]:
    lines = []
    if "packed" in content:
        lines.append(f"    packed: {_scalar_text(content['packed'])}")
    if "entries" in content:
        lines.append("    entries:" if content["entries"] else "    entries: []")
        for row in content["entries"]:
            if isinstance(row, str):
                lines.append(f"      - {_scalar_text(row)}")
            else:
                lines.append(f"      - entry: {_scalar_text(row['entry'])}")
                lines.append(f"        expires: {_scalar_text(row['expires'])}")
    return lines


def _scalar_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = rate_text(value) if isinstance(value, dict) else str(value)
    if (
        _PLAIN.fullmatch(text)
        and isinstance(parse_scalar(text), str)
        and not _is_special_in_yaml11(text)
    ):
        return text
    return _quoted(text)


def _is_special_in_yaml11(text: str) -> bool:
    """Whether YAML 1.1 readers (and editors) take it for a boolean, a time or a base-60 number."""
    return (
        text.lower() in ("yes", "no", "on", "off", "y", "n")
        or text[0].isdigit()
        and (":" in text or "-" in text)
    )


def _quoted(text: str) -> str:
    """Put in double quotes, with characters escaped that are not printable, as in JSON."""
    escaped = []
    for char in text:
        if char in '"\\':
            escaped.append("\\" + char)
        elif char.isprintable():
            escaped.append(char)
        else:
            code = ord(char)
            escaped.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(escaped) + '"'
