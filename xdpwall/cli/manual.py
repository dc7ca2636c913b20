"""The manual page xdpwall(1) out of the command tree: `python -m xdpwall.cli.manual`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from xdpwall.version import __version__

from .main import EPILOG, cli
from .reference import commands_below


def manual_page() -> str:
    """The whole page in roff, for man(1)."""
    root = click.Context(cli, info_name="xdpwall")
    lines = [
        f'.TH XDPWALL 1 "" "xdpwall {__version__}"',
        ".SH NAME",
        "xdpwall \\- packet\\-filter firewall whose data plane is XDP and tc",
        ".SH SYNOPSIS",
        ".B xdpwall",
        "[OPTIONS] COMMAND [ARGS]...",
        ".SH DESCRIPTION",
        *_prose(inspect.cleandoc(cli.help or "")),
        ".SH OPTIONS",
        *_options(cli, root, frozenset()),
        ".SH COMMANDS",
    ]
    shared = frozenset(option for parameter in cli.params for option in parameter.opts)
    for path, command, context in commands_below(root):
        lines += [".SS " + _text(" ".join([path, *command.collect_usage_pieces(context)]))]
        lines += _prose(inspect.cleandoc(command.help or ""))
        lines += _options(command, context, shared)
    return "\n".join([*lines, ".SH NOTES", *_prose(EPILOG)]) + "\n"


def _options(
    command: click.Command, context: click.Context, shared: frozenset[str]
) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1] and not shared.intersection(parameter.opts):
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))


def _prose(text: str) -> Iterator[str]:
    """Paragraphs filled; those behind click's \\b as they stand."""
    for block in text.split("\n\n"):
        lines = [_text(line) for line in block.strip("\b\n").split("\n")]
        if block.startswith("\b"):
            yield from (".PP", ".nf", *lines, ".fi")
        elif block.strip():
            yield from (".PP", *lines)


def _text(line: str) -> str:
    """The line with what roff would take for its own escaped."""
    escaped = line.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    sys.stdout.write(manual_page())
