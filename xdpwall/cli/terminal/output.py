"""Output: plain aligned tables for people, JSON, YAML and names for programs.

No boxes, so that grep and awk work. Colour never carries meaning that the words do not.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from xdpwall.cli.options import Invocation
from xdpwall.errors import Failed

from .text import display_width, escape_controls, escape_json, with_prefix

_SGR_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
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
    """The text of a table's cell, with a colour."""

    text: str
    color: str | None = None


def wants_color(asked: Invocation, stream: TextIO) -> bool:
    """Whether to colour: --color over NO_COLOR over whether the stream is a capable terminal."""
    if asked.color != "auto":
        return asked.color == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def write_error(error: OSError) -> Failed:
    """Make the error for a failed write to stdout: a full disk, for example."""
    return Failed(f"cannot write the output: {error.strerror}", detail=str(error))


def paint(text: str, color: str | None) -> str:
    """Put SGR codes around the text; `color` None leaves it."""
    return f"\x1b[{_SGR_CODES[color]}m{text}\x1b[0m" if color else text


class Printer:
    """Prints the results of commands in the form that the user asked for."""

    def __init__(self, asked: Invocation, stream: TextIO | None = None) -> None:
        self.asked = asked
        self.stream = stream or sys.stdout
        self.color = wants_color(asked, self.stream)

    def packets(self, number: int) -> str:
        """Write a count with a decimal prefix, or in full with -x and -o wide."""
        return str(number) if self._exact else with_prefix(number)

    def bytes(self, number: int) -> str:
        """Write bytes with a decimal prefix, or in full with -x and -o wide."""
        return str(number) if self._exact else with_prefix(number, "B")

    @property
    def _exact(self) -> bool:
        return self.asked.exact or self.asked.output == "wide"

    def show(
        self,
        data: Callable[[], Any],
        names: Callable[[], Iterable[str]],
        people: Callable[[], None],
    ) -> None:
        """Print JSON or YAML of `data()`, or the lines of `names()`, or call `people()`, as asked.

        For a change `people` usually writes to stderr and prints nothing here.
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
        """Print one JSON document; on one line where documents follow each other."""
        text = json.dumps(data, ensure_ascii=False, indent=None if one_line else 2)
        self._write(escape_json(text) + "\n")

    def yaml(self, data: Any) -> None:
        """Print one YAML 1.2 document."""
        from ruamel.yaml import YAML

        writer = YAML(typ="safe", pure=True)
        writer.default_flow_style = False
        writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        writer.allow_unicode = True
        writer.width = 4096
        text = io.StringIO()
        writer.dump(data, text)
        if not text.getvalue().replace("\n", "").isprintable():
            # Escapes for all that is not ASCII: ruamel lets C1 stand.
            writer.allow_unicode = False
            text = io.StringIO()
            writer.dump(data, text)
        self._write(text.getvalue())

    def line(self, text: str = "", color: str | None = None) -> None:
        """Print one line, control characters escaped."""
        self._write(self._painted(escape_controls(text), color) + "\n")

    def text(self, text: str) -> None:
        """Print text as it is: a file or a script."""
        self._write(text)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str | TableCell]]) -> None:
        """Print aligned columns, two blanks apart, without trailing blanks."""
        wide = self.asked.output == "wide"
        shown = [i for i, column in enumerate(columns) if wide or not column.wide]
        body = [[_cell(row[i]) for i in shown] for row in rows]
        heads = [TableCell(columns[i].title, "bold") for i in shown]
        lines = [heads, *body] if self.asked.headers else body
        widths = [
            max((display_width(line[i].text) for line in lines), default=0)
            for i in range(len(shown))
        ]
        right = [columns[i].right for i in shown]
        for line in lines:
            self._write(self._row(line, widths, right) + "\n")

    def facts(self, pairs: Iterable[tuple[str, str | TableCell]]) -> None:
        """Print names and values, a pair a line, values aligned."""
        listed = [(name, _cell(value)) for name, value in pairs]
        column = max((display_width(name) for name, _ in listed), default=0)
        for name, value in listed:
            gap = " " * (column - display_width(name))
            self._write(f"{name}{gap}  {self._painted(value.text, value.color)}\n")

    def _row(self, line: Sequence[TableCell], widths: Sequence[int], right: Sequence[bool]) -> str:
        parts = []
        for i, cell in enumerate(line):
            padding = " " * (widths[i] - display_width(cell.text))
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
            raise write_error(error) from error


def _cell(value: str | TableCell) -> TableCell:
    cell = TableCell(value) if isinstance(value, str) else value
    return TableCell(escape_controls(cell.text), cell.color)
