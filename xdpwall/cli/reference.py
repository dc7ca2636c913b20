"""docs/reference/cli.md out of the command tree: `python -m xdpwall.cli.reference`.

A test compares the file with what this makes, so that the page cannot go stale.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from .main import EPILOG, cli

TARGET = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
_HEAD = """\
<!-- Made by `python -m xdpwall.cli.reference`; change the commands, not this page. -->
# The command line

Data goes to stdout, words to stderr. Every command takes the options of the first section, before
or after its own name. There is never a question off a terminal: `-y` answers questions, `--force`
passes guards, and neither implies the other.
"""


def reference_page() -> str:
    """The whole page as Markdown."""
    root = click.Context(cli, info_name="xdpwall")
    parts = [_HEAD, _section("xdpwall", cli, root, level=2)]
    shared = {option for parameter in cli.params for option in parameter.opts}
    parts += [
        _section(path, c, ctx, level=2, shared=shared) for path, c, ctx in commands_below(root)
    ]
    return "\n".join(parts)


def commands_below(root: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every visible command below the root, groups before what is in them."""
    group = root.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(root):
        command = group.get_command(root, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=root)
        yield context.command_path, command, context
        if isinstance(command, click.Group):
            yield from commands_below(context)


def _section(
    path: str,
    command: click.Command,
    context: click.Context,
    *,
    level: int,
    shared: set[str] | None = None,
) -> str:
    usage = command.collect_usage_pieces(context)
    lines = [f"{'#' * level} {path}", "", f"    {' '.join([path, *usage])}", ""]
    lines += _prose(inspect.cleandoc(command.help or ""))
    rows = [
        record
        for parameter in command.get_params(context)
        if not (shared and shared & set(parameter.opts))
        and "--help" not in parameter.opts
        and (record := parameter.get_help_record(context)) is not None
        and record[1]
    ]
    if rows:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in rows]
        lines.append("")
    if command.epilog:
        lines += _prose(EPILOG)
    return "\n".join(lines)


def _prose(text: str) -> list[str]:
    """Paragraphs as they are; those behind click's \\b mark as code blocks, title outside."""
    out: list[str] = []
    for block in text.split("\n\n"):
        if not block.strip():
            continue
        if not block.startswith("\b"):
            out += [block.strip("\n"), ""]
            continue
        title, *rest = block.strip("\b\n").split("\n")
        out += [title, "", *(f"    {line.removeprefix('  ')}" for line in rest), ""]
    return out


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(reference_page(), encoding="utf-8")
