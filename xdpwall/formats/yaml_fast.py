"""Reads the YAML that people and dump_ruleset write, line by line. Pure.

ruamel.yaml takes seconds for 10,000 rules, this a tenth of one. It accepts only lines of one
possible meaning and gives up (None) at the first other one, which leaves the text to yaml_file.py.
Property tests compare its results with ruamel's.
"""

from __future__ import annotations

import re

from .yaml_fast_sets import SetsReader
from .yaml_scalar import KEYWORDS, parse_scalar, unescape

_QUOTED = (
    r'"((?:[^"\\]|\\["\\]|\\u[0-9a-f]{4}|\\U00(?:0[0-9a-f]|10)[0-9a-f]{4})*)"|'
    r"'((?:[^']|'')*)'"
)
_KEY = r"[a-z][a-z0-9_]{0,63}"
_PAIR = rf"({_KEY}): +(?:([A-Za-z0-9_][A-Za-z0-9_./-]*)|{_QUOTED})"
_ONE = re.sub(r"(?<!\\)\((?!\?)", "(?:", _PAIR)
_LINE = re.compile(
    # Blanks are taken once (*+): two repeats that share a run try every place to part it.
    rf"( *+)(- ++)?(?:({_KEY}):(?= |$) *+)?"
    # A ':' before a blank and a '#' behind one would end a plain scalar.
    r'(?:([A-Za-z0-9_.][!-9;-~]*(?:(?::(?=[!-~])| +(?=[!-"$-~]))[!-9;-~]*)*)'
    rf"|{_QUOTED}|(\[\]|\{{(?:{_ONE}(?:, +{_ONE})*)?\}}))? *+(?:(?<= )#.*)?",
    re.ASCII,
)
_PAIRS = re.compile(_PAIR, re.ASCII)


_NOTHING = object()
_Parts = tuple[int, int, str | None, object, str | None]
"""Of a line: the width of the indent and of the dash with the blanks behind it, the key, the value
or _NOTHING, the text of a flow value (`[]`, `{...}`)."""


def read_yaml_fast(text: str) -> tuple[dict[str, object], dict[str, int]] | None:
    """(the data, field -> line), or None for YAML that this module does not read."""
    reader = _FastReader()
    lines = text.replace("\r\n", "\n").split("\n")
    if not "".join(lines).isprintable():
        return None
    for number, line in enumerate(lines, 1):
        if not reader.read_line(line, number):
            return None
    return (reader.data, reader.lines) if reader.data and reader.is_complete() else None


def _split_line(line: str) -> _Parts | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    indent, dash, key, plain, double, single, flow = found.groups()
    value: object = _NOTHING
    if plain is not None:
        value = parse_scalar(plain)
    elif double is not None:
        value = unescape(double)
    elif single is not None:
        value = single.replace("''", "'")
    return len(indent), len(dash or ""), key, value, flow


class _FastReader:
    """Builds the data line by line. Methods return False at a line that this module does not read."""

    def __init__(self) -> None:
        self.data: dict[str, object] = {}
        self.lines: dict[str, int] = {}
        self.section = ""
        """The top-level key that the next lines may belong to."""
        self.items: list[object] | None = None
        self.indent = 0
        """The column of the dashes of the section's list."""
        self.entry: dict[str, object] | None = None
        """The object that a line may add a field to: the last of the list, or the section's own. Its
        path (`rules[2]`) and the column of its keys follow."""
        self.path = ""
        self.column = 0
        self.started = False
        self.sets = SetsReader(self.lines)
        self.known: dict[str, _Parts] = {}
        """Lines split before: most lines of a list of rules occur more than once."""

    def read_line(self, line: str, number: int) -> bool:
        if self.section == "sets" and line[:1] == " " and line.lstrip(" ")[:1] not in ("", "#"):
            return self.sets.read_line(line, number)
        parts = self.known.get(line)
        if parts is None:
            bare = line.lstrip(" ")
            if not bare or bare[0] == "#":
                return True
            parts = _split_line(line)
            if parts is None:
                return self._start(line)
            self.known[line] = parts
        indent, dash, key, value, flow = parts
        if value is _NOTHING:
            if flow is not None:
                return self._flow_value(flow, indent, dash, key, number)
            # At the top level a section begins. Elsewhere it is null, which is left to ruamel.yaml.
            return not indent and not dash and key is not None and self._open_section(key, number)
        if not dash and not indent:
            return key is not None and self._top_level(key, value, number)
        if dash and not self._list_item(indent, number):
            return False
        if dash and key is None:
            assert self.items is not None
            self.items.append(value)
            self.entry = None
            return True
        if dash:
            self._begin_object(indent + dash)
        elif (self.entry is None or indent != self.column) and not self._belongs_to_object(indent):
            return False
        return key is not None and self._put_field(key, value, number)

    def _start(self, line: str) -> bool:
        """Accept `---` as the first line."""
        first = line == "---" and not self.started and not self.data
        self.started = True
        return first

    def _top_level(self, key: str, value: object, number: int) -> bool:
        if key in self.data or key in KEYWORDS or key == "sets" or not self.is_complete():
            return False
        self.lines.setdefault("", number)
        self.lines[key] = number
        self.data[key] = value
        self.section, self.entry = "", None
        return True

    def _open_section(self, key: str, number: int) -> bool:
        if key == "sets":
            if key in self.data or not self.is_complete():
                return False
            self.lines.setdefault("", number)
            self.lines[key] = number
            self.data[key] = self.sets.data
        elif not self._top_level(key, None, number):
            return False
        self.section, self.items, self.entry = key, None, None
        return True

    def _list_item(self, indent: int, number: int) -> bool:
        """Accept a line with a dash as the next item of the section's list."""
        if self.items is None:
            if not self.section or self.data[self.section] is not None:
                return False
            self.data[self.section] = self.items = []
            self.indent = indent
        elif not self.section or indent != self.indent:
            return False
        self.path = f"{self.section}[{len(self.items)}]"
        self.lines[self.path] = number
        return True

    def _begin_object(self, column: int) -> None:
        assert self.items is not None
        self.entry = {}
        self.items.append(self.entry)
        self.column = column

    def _belongs_to_object(self, indent: int) -> bool:
        """Accept an indented line with a key as one of the current object."""
        if self.section and self.data[self.section] is None:
            self.data[self.section] = self.entry = {}
            self.path, self.column = self.section, indent
        return bool(self.section) and self.entry is not None and indent == self.column

    def _put_field(self, key: str, value: object, number: int) -> bool:
        entry = self.entry
        if entry is None or key in entry or key in KEYWORDS:
            return False
        entry[key] = value
        self.lines[f"{self.path}.{key}"] = number
        return True

    def _flow_value(self, flow: str, indent: int, dash: int, key: str | None, number: int) -> bool:
        """Accept a flow value, `[]` or an object in braces, of a section or as a list's item."""
        value: list[object] | dict[str, object] = [] if flow == "[]" else {}
        if not dash and not indent and key == "sets" and flow == "{}":
            return self._open_section(key, number) and self._close_section()
        if not dash:
            path = key or ""
            fits = not indent and key is not None and self._top_level(key, value, number)
        else:
            fits = key is None and isinstance(value, dict) and self._list_item(indent, number)
            path = self.path
            if fits and self.items is not None:
                self.items.append(value)
                self.entry = None
        if not fits:
            return False
        for name, plain, double, single in _PAIRS.findall(flow):
            if not isinstance(value, dict) or name in value or name in KEYWORDS:
                return False
            if plain:
                value[name] = parse_scalar(plain)
            else:
                value[name] = unescape(double) or single.replace("''", "'")
            self.lines[f"{path}.{name}"] = number
        return True

    def _close_section(self) -> bool:
        self.section = ""
        return True

    def is_complete(self) -> bool:
        """Whether the section has a value; a key without one would be null."""
        if self.section == "sets":
            return self.sets.is_complete()
        return not self.section or self.data[self.section] is not None
