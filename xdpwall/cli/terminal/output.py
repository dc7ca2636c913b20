"""Printing: plain aligned tables for people, JSON, YAML and names for programs.

No boxes, so that grep and awk work. Colour never carries meaning that the words do not.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from xdpwall.cli.options import Invocation
from xdpwall.errors import Failed

from .text import clean, human, width

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "shout": "1;37;41",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `wide` ones appear with -o wide only."""

    title: str
    right: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class TableCell:
    """A text with a colour."""

    text: str
    color: str | None = None


def wants_color(asked: Invocation, stream: TextIO) -> bool:
    """--color over NO_COLOR over whether it is a terminal that can."""
    if asked.color != "auto":
        return asked.color == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def cannot_write(error: OSError) -> Failed:
    """stdout takes no more: a full disk behind `>`."""
    return Failed(f"cannot write the output: {error.strerror}", detail=str(error))


def paint(text: str, color: str | None) -> str:
    """The text in a colour; `color` None leaves it."""
    return f"\x1b[{_CODES[color]}m{text}\x1b[0m" if color else text


class Printer:
    """Prints what commands found out, in the form that the user asked for."""

    def __init__(self, asked: Invocation, stream: TextIO | None = None) -> None:
        self.asked = asked
        self.stream = stream or sys.stdout
        self.color = wants_color(asked, self.stream)

    def packets(self, number: int) -> str:
        """A count as a person reads it, or in full with -x and -o wide."""
        return str(number) if self._exact else human(number)

    def bytes(self, number: int) -> str:
        """Bytes: decimal units, or in full with -x and -o wide."""
        return str(number) if self._exact else human(number, "B")

    @property
    def _exact(self) -> bool:
        return self.asked.exact or self.asked.output == "wide"

    def show(
        self,
        data: Callable[[], Any],
        names: Callable[[], Iterable[str]],
        people: Callable[[], None],
    ) -> None:
        """Print one of the three: JSON or YAML of `data()`, `names()`, or what `people()` prints.

        For a change `people` usually says its words on stderr and prints nothing here.
        """
        if self.asked.output == "json":
            self.json(data())
        elif self.asked.output == "yaml":
            self.yaml(data())
        elif self.asked.output == "name" or self.asked.quiet:
            for name in names():
                self.line(name)
        else:
            people()

    def json(self, data: Any, *, one_line: bool = False) -> None:
        """One JSON document; watching prints one a line."""
        self._write(json.dumps(data, ensure_ascii=False, indent=None if one_line else 2) + "\n")

    def yaml(self, data: Any) -> None:
        """One YAML 1.2 document."""
        from ruamel.yaml import YAML

        writer = YAML(typ="safe", pure=True)
        writer.default_flow_style = False
        writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        writer.allow_unicode = True
        writer.width = 4096
        writer.dump(data, self.stream)

    def line(self, text: str = "", color: str | None = None) -> None:
        """One line of words."""
        self._write(self._painted(clean(text), color) + "\n")

    def text(self, text: str) -> None:
        """Text that is a file or a script: as it is."""
        self._write(text)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str | TableCell]]) -> None:
        """Aligned columns, two blanks apart, headings in capitals; no trailing blanks."""
        wide = self.asked.output == "wide"
        shown = [i for i, column in enumerate(columns) if wide or not column.wide]
        body = [[_cell(row[i]) for i in shown] for row in rows]
        heads = [TableCell(columns[i].title, "bold") for i in shown]
        lines = [heads, *body] if self.asked.headers else body
        widths = [
            max((width(line[i].text) for line in lines), default=0) for i in range(len(shown))
        ]
        right = [columns[i].right for i in shown]
        for line in lines:
            self._write(self._row(line, widths, right) + "\n")

    def facts(self, pairs: Iterable[tuple[str, str | TableCell]]) -> None:
        """Name and value, one pair a line, values under each other."""
        listed = [(name, _cell(value)) for name, value in pairs]
        column = max((width(name) for name, _ in listed), default=0)
        for name, value in listed:
            gap = " " * (column - width(name))
            self._write(f"{name}{gap}  {self._painted(value.text, value.color)}\n")

    def _row(self, line: Sequence[TableCell], widths: Sequence[int], right: Sequence[bool]) -> str:
        parts = []
        for i, cell in enumerate(line):
            padding = " " * (widths[i] - width(cell.text))
            painted = self._painted(cell.text, cell.color)
            last = i == len(line) - 1
            parts.append(padding + painted if right[i] else painted + ("" if last else padding))
        return "  ".join(parts)

    def _painted(self, text: str, color: str | None) -> str:
        return paint(text, color) if self.color and text else text

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            # A C locale: better an escape than no answer.
            self.stream.write(text.encode("ascii", "backslashreplace").decode())
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_write(error) from error


def _cell(value: str | TableCell) -> TableCell:
    cell = TableCell(value) if isinstance(value, str) else value
    return TableCell(clean(cell.text), cell.color)
