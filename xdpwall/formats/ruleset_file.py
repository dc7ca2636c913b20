"""Reads and writes ruleset files, YAML 1.2 or JSON. What is written is read back unchanged.

Errors name the file, the line where it is known, the rule's index in the file and the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

from xdpwall.errors import InvalidInput, XdpwallError
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.content import SetFileReader
from xdpwall.values.inputs import parse_choice

MAX_BYTES = 16 * 1024 * 1024
MAX_VALUES = 1_000_000
"""Values in one file, roughly: each takes memory that its few bytes do not show."""


def load_ruleset(text: str, *, name: str, files: SetFileReader | None = None) -> Ruleset:
    """Parse the text of a ruleset file, which errors call `name`. `files` reads the files that sets
    name as their `file`. Raises InvalidInput, Full.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InvalidInput(
            f"{name}: {size:,} bytes; a ruleset file has at most {MAX_BYTES:,}",
            field="file",
            value=name,
            code="too-large",
        )
    # As many as these at most; those in texts count as well, of which no good file has so many.
    if sum(map(text.count, ",[{\n")) > MAX_VALUES:
        raise InvalidInput(
            f"{name}: holds more than {MAX_VALUES:,} values",
            field="file",
            value=name,
            code="too-many",
            hint="keep a set with so many entries in a file of its own: `file: LIST` in the ruleset, or "
            "`xdpwall set load`",
        )
    try:
        return _parse(text, name, files)
    except InvalidInput as error:
        from .foreign_text import foreign_kind

        kind = foreign_kind(text)
        if kind is None:
            raise
        raise InvalidInput(
            f"{name}: this is {kind[0]}, not a ruleset of xdpwall",
            field="file",
            value=name,
            code="not-a-ruleset",
            hint=kind[1],
            detail=error.message,
        ) from None


def _parse(text: str, name: str, files: SetFileReader | None) -> Ruleset:
    lines: Lines = {}
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        data = _from_json(text, name)
    else:
        from .yaml_file import read_yaml

        data, lines = read_yaml(text, name)
    try:
        return Ruleset.parse(data, files=files)
    except XdpwallError as error:
        raise _with_line(error, name, lines) from None


def dump_ruleset(ruleset: Ruleset, format: Literal["yaml", "json"] = "yaml") -> str:
    """Format as a file that load_ruleset reads back unchanged."""
    if parse_choice("format", format, ("yaml", "json")) == "json":
        return json.dumps(ruleset.to_json(), indent=2, ensure_ascii=False) + "\n"
    from .yaml_file import write_yaml

    return write_yaml(ruleset.to_json())


Lines = Mapping[str, int]
"""Field as errors name it (`rules[2]`, `rules[2].src`, `policy`) -> line, from 1."""


def _with_line(error: XdpwallError, name: str, lines: Lines) -> XdpwallError:
    field = error.field or ""
    line = lines.get(field) or lines.get(field.rpartition(".")[0])
    place = f"{name}: line {line}: " if line else f"{name}: "
    error.message = place + error.message
    error.args = (error.message,)
    return error


def _from_json(text: str, name: str) -> object:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"{key[:40]!r} stands twice in one object")
            found[key] = value
        return found

    try:
        return json.loads(
            text.removeprefix("\ufeff"), parse_constant=refuse, object_pairs_hook=unique
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{name}: line {error.lineno}: not JSON: {error.msg} (column {error.colno})",
            field="file",
            value=name,
            hint="a file that begins with { is read as JSON",
        ) from None
    except (ValueError, RecursionError) as error:
        words = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidInput(f"{name}: {words}", field="file", value=name) from None
