"""Markdown for a terminal: headings bold, code indented, tables in columns, links as their words."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from .output import paint
from .text import display_width

_LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)")
_STRONG = re.compile(r"\*\*(.+?)\*\*|(?<!\*)\*([^*\s][^*]*)\*(?!\*)")
_ITEM = re.compile(r"(?P<mark>[-*] |\d+\. )")
_GAP = "  "


def render(text: str, width: int, *, color: bool) -> str:
    """The page as lines of at most `width` columns, but for code, which stays as it is."""
    lines: list[str] = []
    for block in _blocks(text):
        lines += [*_render_block(block, width, color=color), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each heading, paragraph, list, table and piece of code."""
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        alone = not fenced and (not line.strip() or line.startswith("#"))
        if alone or (line.startswith("```") and fenced):
            if block:
                yield block
            block = []
        if not alone:
            block.append(line)
        elif line.strip():
            yield [line]
    if block:
        yield block


def _render_block(block: Sequence[str], width: int, *, color: bool) -> Iterator[str]:
    first = block[0]
    if first.startswith("#"):
        yield paint(_plain(first.lstrip("#").strip()), "bold" if color else None)
    elif first.startswith("```"):
        yield from (f"    {line}".rstrip() for line in block if not line.startswith("```"))
    elif first.startswith("    "):
        yield from block
    elif first.startswith("|"):
        yield from _table([_cells(line) for line in block], width)
    elif _ITEM.match(first):
        yield from _items(block, width)
    elif said := _plain(" ".join(line.strip() for line in block)).strip():
        yield from _wrap(said, width)


def _items(block: Sequence[str], width: int) -> Iterator[str]:
    """The items of a list; a line that begins none belongs to the item above, or stands below it where
    that one ends with two blanks."""
    items: list[str] = []
    for line in block:
        depth = len(line) - len(line.lstrip())
        if _ITEM.match(line.lstrip()) and (not items or depth < 4):
            items.append(line)
        else:
            items[-1] += ("\n" if items[-1].endswith("  ") else " ") + line.strip()
    for item in items:
        depth = len(item) - len(item.lstrip())
        mark = _ITEM.match(item.lstrip())
        hang = " " * (depth + len(mark["mark"] if mark else ""))
        for number, part in enumerate(item.lstrip().split("\n")):
            yield from _wrap(_plain(part), width, hang if number else " " * depth, hang)


def _wrap(text: str, width: int, first: str = "", hang: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=hang,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [_plain(one.strip()).replace("\\|", "|") for one in re.split(r"(?<!\\)\|", inner)]


def _table(rows: list[list[str]], width: int) -> Iterator[str]:
    """Aligned columns; where they do not fit, the last one is wrapped, or each row becomes a list."""
    del rows[1:2]
    if not any(rows[0]):
        del rows[0]
    columns = max(map(len, rows))
    rows = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(display_width(row[n]) for row in rows) for n in range(columns)]
    before = sum(widths[:-1]) + len(_GAP) * (columns - 1)
    if before + min(widths[-1], 30) <= width:
        for row in rows:
            yield from _row(row, widths, width - before)
        return
    for row in rows[1:]:
        yield from _wrap(f"{rows[0][0]}: {row[0]}" if rows[0][0] else row[0], width, "", "    ")
        for head, cell in zip(rows[0][1:], row[1:], strict=True):
            if cell:
                yield from _wrap(f"{head}: {cell}" if head else cell, width, "    ", "        ")


def _row(row: Sequence[str], widths: Sequence[int], last: int) -> Iterator[str]:
    padded = [
        cell + " " * (size - display_width(cell))
        for cell, size in zip(row[:-1], widths[:-1], strict=True)
    ]
    wrapped = _wrap(row[-1], last) or [""]
    yield _GAP.join([*padded, wrapped[0]]).rstrip()
    hang = " " * (sum(widths[:-1]) + len(_GAP) * len(padded))
    yield from (hang + line for line in wrapped[1:])


def _plain(text: str) -> str:
    """Words without Markdown's marks; within `code` everything stands."""
    parts = [
        "".join(group) if key else _STRONG.sub(r"\1\2", "".join(group))
        for key, group in groupby(re.split(r"(`[^`]*`)", _links(text)), lambda one: one[:1] == "`")
    ]
    return "".join(parts).rstrip()


def _links(text: str) -> str:
    return _LINK.sub(lambda match: "" if match[0].startswith("!") else match[1], text)
