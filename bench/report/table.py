"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with columns as wide as their widest cell; the first is left-aligned, the others right."""
    lines = [head, *rows]
    # Two dashes at least: "-:" makes a column right-aligned.
    width = [max(2, *(len(line[i]) for line in lines)) for i in range(len(head))]

    def show(line: Sequence[str]) -> str:
        cells = [
            line[0].ljust(width[0]),
            *(c.rjust(w) for c, w in zip(line[1:], width[1:], strict=True)),
        ]
        return f"| {' | '.join(cells)} |"

    rule = ["-" * width[0], *("-" * (w - 1) + ":" for w in width[1:])]
    return "\n".join([show(head), show(rule), *(show(line) for line in rows)])
