"""The YAML that people and `dump` write, read line by line.

ruamel.yaml takes seconds for 10,000 rules, this a tenth of one. It knows only lines that can mean
one thing, gives up (None) at the first other one, and property tests hold it to ruamel's reading.
"""

from __future__ import annotations

import re

from .yaml_fast_sets import YamlSets
from .yaml_scalar import WORDS, scalar, unescaped

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
"""Of a line: blanks, the dash with those behind it, the key, the value or _NOTHING, the braces."""


def read_flat(text: str) -> tuple[dict[str, object], dict[str, int]] | None:
    """The data and the line of each field, or None for YAML of another shape."""
    reader = _Flat()
    lines = text.replace("\r\n", "\n").split("\n")
    if not "".join(lines).isprintable():
        return None
    for number, line in enumerate(lines, 1):
        if not reader.line(line, number):
            return None
    return (reader.data, reader.lines) if reader.data and reader.closed() else None


def _parts(line: str) -> _Parts | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    indent, dash, key, plain, double, single, flow = found.groups()
    value: object = _NOTHING
    if plain is not None:
        value = scalar(plain)
    elif double is not None:
        value = unescaped(double)
    elif single is not None:
        value = single.replace("''", "'")
    return len(indent), len(dash or ""), key, value, flow


class _Flat:
    def __init__(self) -> None:
        self.data: dict[str, object] = {}
        self.lines: dict[str, int] = {}
        self.section = ""
        """The key whose list or object the next lines may belong to."""
        self.items: list[object] | None = None
        self.indent = 0
        """Of the section's list, or of its object's keys."""
        self.entry: dict[str, object] | None = None
        """The object that a line may add to: the last of the list, or the section's; its path, and
        the column of its keys."""
        self.path = ""
        self.column = 0
        self.started = False
        self.sets = YamlSets(self.lines)
        self.known: dict[str, _Parts] = {}
        """Lines that were read before: in a list of rules most say what another has said."""

    def line(self, line: str, number: int) -> bool:
        if self.section == "sets" and line[:1] == " " and line.lstrip(" ")[:1] not in ("", "#"):
            return self.sets.line(line, number)
        parts = self.known.get(line)
        if parts is None:
            bare = line.lstrip(" ")
            if not bare or bare[0] == "#":
                return True
            parts = _parts(line)
            if parts is None:
                return self._start(line)
            self.known[line] = parts
        indent, dash, key, value, flow = parts
        if value is _NOTHING:
            if flow is not None:
                return self._flow(flow, indent, dash, key, number)
            # Nothing: a section begins. Elsewhere null, which is ruamel.yaml's to tell.
            return not indent and not dash and key is not None and self._open(key, number)
        if not dash and not indent:
            return key is not None and self._top(key, value, number)
        if dash and not self._item(indent, number):
            return False
        if dash and key is None:
            assert self.items is not None
            self.items.append(value)
            self.entry = None
            return True
        if dash:
            self._begin(indent + dash)
        elif (self.entry is None or indent != self.column) and not self._continues(indent):
            return False
        return key is not None and self._put(key, value, number)

    def _start(self, line: str) -> bool:
        """`---` before everything else."""
        first = line == "---" and not self.started and not self.data
        self.started = True
        return first

    def _top(self, key: str, value: object, number: int) -> bool:
        if key in self.data or key in WORDS or key == "sets" or not self.closed():
            return False
        self.lines.setdefault("", number)
        self.lines[key] = number
        self.data[key] = value
        self.section, self.entry = "", None
        return True

    def _open(self, key: str, number: int) -> bool:
        if key == "sets":
            if key in self.data or not self.closed():
                return False
            self.lines.setdefault("", number)
            self.lines[key] = number
            self.data[key] = self.sets.data
        elif not self._top(key, None, number):
            return False
        self.section, self.items, self.entry = key, None, None
        return True

    def _item(self, indent: int, number: int) -> bool:
        """A line with a dash: whether it is one more of the section's list."""
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

    def _begin(self, column: int) -> None:
        assert self.items is not None
        self.entry = {}
        self.items.append(self.entry)
        self.column = column

    def _continues(self, indent: int) -> bool:
        """A line with blanks and a key: whether it belongs to the last object."""
        if self.section and self.data[self.section] is None:
            self.data[self.section] = self.entry = {}
            self.path, self.column = self.section, indent
        return bool(self.section) and self.entry is not None and indent == self.column

    def _put(self, key: str, value: object, number: int) -> bool:
        entry = self.entry
        if entry is None or key in entry or key in WORDS:
            return False
        entry[key] = value
        self.lines[f"{self.path}.{key}"] = number
        return True

    def _flow(self, flow: str, indent: int, dash: int, key: str | None, number: int) -> bool:
        """`[]`, or an object in braces, as the value of a section or one of a list."""
        value: list[object] | dict[str, object] = [] if flow == "[]" else {}
        if not dash and not indent and key == "sets" and flow == "{}":
            return self._open(key, number) and self._shut()
        if not dash:
            path = key or ""
            fits = not indent and key is not None and self._top(key, value, number)
        else:
            fits = key is None and isinstance(value, dict) and self._item(indent, number)
            path = self.path
            if fits and self.items is not None:
                self.items.append(value)
                self.entry = None
        if not fits:
            return False
        for name, plain, double, single in _PAIRS.findall(flow):
            if not isinstance(value, dict) or name in value or name in WORDS:
                return False
            if plain:
                value[name] = scalar(plain)
            else:
                value[name] = unescaped(double) or single.replace("''", "'")
            self.lines[f"{path}.{name}"] = number
        return True

    def _shut(self) -> bool:
        self.section = ""
        return True

    def closed(self) -> bool:
        """Whether the section, if any, holds something."""
        if self.section == "sets":
            return self.sets.closed()
        return not self.section or self.data[self.section] is not None
