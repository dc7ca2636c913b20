"""Markdown that both GitHub and mkdocs read alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `python -m scripts.reference`; change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A page: the note of who made it, its title, its parts with a blank line between."""
    return "\n\n".join([f"{MADE}\n# {title}", *(part.strip("\n") for part in parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar within a cell is escaped."""
    lines = [_row(head), _row(["---"] * len(head)).replace(" ", "")]
    return "\n".join([*lines, *map(_row, rows)])


def code(text: str) -> str:
    """Text as code within a line; nothing for nothing."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}" if text else ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(one.replace("|", "\\|").replace("\n", " ") for one in cells) + " |"
