"""Reads the section `sets` of a ruleset file as dump_ruleset writes it, for yaml_fast.py. Pure."""

from __future__ import annotations

import re

from .yaml_scalar import KEYWORDS, parse_scalar, unescape

_TEXT = (
    r"(?:(?P<plain>[A-Za-z0-9_.][A-Za-z0-9_./,:-]*(?<!:))"
    r'|"(?P<quoted>(?:[^"\\]|\\["\\]|\\u[0-9a-f]{4}|\\U00(?:0[0-9a-f]|10)[0-9a-f]{4})*)")'
)
_SET_NAME = re.compile(rf"  {_TEXT}:", re.ASCII)
_SET_FIELD = re.compile(rf"    (?P<key>[a-z]+):(?: (?:{_TEXT}|(?P<empty>\[\])))?", re.ASCII)
_SET_ROW = re.compile(rf"(?P<mark>      - |        )(?:(?P<key>[a-z]+): )?{_TEXT}", re.ASCII)


class SetsReader:
    """Reads names of sets and, below each, `packed` and a list `entries`. Methods return False at a
    line that this module does not read."""

    def __init__(self, lines: dict[str, int]) -> None:
        self.lines = lines
        self.data: dict[str, dict[str, object]] = {}
        self.content: dict[str, object] = {}
        self.rows: list[object] | None = None
        self.row: dict[str, object] | None = None
        self.path = ""

    def read_line(self, line: str, number: int) -> bool:
        if found := _SET_ROW.fullmatch(line):
            return self._row(found, number)
        self.row = None
        if found := _SET_FIELD.fullmatch(line):
            return self._field(found, number)
        found = _SET_NAME.fullmatch(line)
        name = _value_of(found) if found and self.is_complete(first=not self.data) else None
        if not isinstance(name, str) or name in self.data:
            return False
        self.path = f"sets.{name}"
        self.lines[self.path] = number
        self.content = self.data[name] = {}
        self.rows = None
        return True

    def _field(self, found: re.Match[str], number: int) -> bool:
        key = found["key"]
        if not self.data or key in self.content or key in KEYWORDS or self.rows == []:
            return False
        self.lines[f"{self.path}.{key}"] = number
        self.rows = None
        if found["plain"] is not None or found["quoted"] is not None:
            self.content[key] = _value_of(found)
        elif found["empty"]:
            self.content[key] = []
        else:
            self.content[key] = self.rows = []
        return True

    def _row(self, found: re.Match[str], number: int) -> bool:
        if self.rows is None:
            return False
        key, value = found["key"], _value_of(found)
        path = f"{self.path}.{next(reversed(self.content))}[{len(self.rows)}]"
        if found["mark"].endswith("- "):
            self.lines[path] = number
            self.row = {} if key else None
            self.rows.append(value if self.row is None else self.row)
        else:
            path = f"{path.rpartition('[')[0]}[{len(self.rows) - 1}]"
        if key is None:
            return found["mark"].endswith("- ")
        if self.row is None or key in self.row or key in KEYWORDS:
            return False
        self.row[key] = value
        self.lines[f"{path}.{key}"] = number
        return True

    def is_complete(self, *, first: bool = False) -> bool:
        """Whether the last set has a value; with `first`, no set has begun yet."""
        return first or (bool(self.content) and self.rows != [])


def _value_of(found: re.Match[str]) -> object:
    plain = found["plain"]
    return parse_scalar(plain) if plain is not None else unescape(found["quoted"])
