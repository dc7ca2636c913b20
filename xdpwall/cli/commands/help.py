"""xdpwall help"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress

import click

from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.markdown import render
from xdpwall.cli.terminal.output import Column, Printer, wants_color
from xdpwall.cli.topics import find_section, find_topic, section_names, topics
from xdpwall.errors import Failed
from xdpwall.values.inputs import did_you_mean

TOPICS = "topics"
_WIDEST = 118
"""Columns of text; longer lines are hard to read."""


def complete_words(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete a command, below the words in front of it, or a topic in the first place."""
    assert ctx.parent is not None
    command: click.Command | None = ctx.parent.command
    words = ctx.params.get("words") or ()
    for word in words:
        command = command.get_command(ctx, word) if isinstance(command, click.Group) else None
    names = command.list_commands(ctx) if isinstance(command, click.Group) else []
    if not words:
        with suppress(Failed, OSError):
            names += [TOPICS, *(one.name for one in topics()), *section_names()]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


@click.command(name="help")
@click.argument("words", nargs=-1, metavar="[COMMAND... | TOPIC]", shell_complete=complete_words)
@common_options()
@click.pass_context
def help_(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Print the help of a command, as --help behind it does, or a page of the documentation.

    TOPIC is a page (`xdpwall help topics` lists them), an error code or the field of a rule. On a
    terminal a page that is longer than it goes through $PAGER.

    \b
    Examples:
      xdpwall help
      xdpwall help rule add
      xdpwall help topics
      xdpwall help first-steps
      xdpwall help lock-out
    """
    assert ctx.parent is not None
    root: click.Context = ctx.parent
    assert isinstance(root.command, click.Group)
    if len(words) == 1 and root.command.get_command(root, words[0]) is None:
        _show_topic(words[0], root)
        return
    context = root
    for word in words:
        group = context.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"{context.command_path} has no commands below it", context)
        name, command, _ = group.resolve_command(context, [word])
        assert command is not None
        context = click.Context(
            command, info_name=name, parent=context, max_content_width=context.max_content_width
        )
        if command.hidden and command.callback is not None:
            context.invoke(command.callback, words=())  # refused: not in this version
    click.echo(context.get_help())


def _show_topic(name: str, root: click.Context) -> None:
    """Print a page or a section; InvalidInput like that of an unknown command where there is none."""
    if name == TOPICS:
        _list_topics()
        return
    page = find_topic(name)
    text = page.text if page is not None else find_section(name)
    if text is None:
        assert isinstance(root.command, click.Group)
        known = [*root.command.list_commands(root), *(one.name for one in topics())]
        near = did_you_mean(name, [*known, *section_names()])
        message = f"no such command {name!r}, nor a topic; `xdpwall help topics` lists those"
        raise click.UsageError(f"{message}; {near}" if near else message, root)
    asked = invocation.get()
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    shown = render(text, width, color=wants_color(asked, sys.stdout))
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        Printer(asked).text(shown)
        return
    # less, where nothing else is said: quit at the end of what fits, colours as they are.
    os.environ.setdefault("LESS", "FRX")
    click.echo_via_pager(shown, color=wants_color(asked, sys.stdout))


def _list_topics() -> None:
    printer = Printer(invocation.get())
    found = topics()

    def people() -> None:
        printer.table([Column("TOPIC"), Column("PAGE")], [[one.name, one.title] for one in found])

    printer.show(
        lambda: [{"topic": one.name, "title": one.title} for one in found],
        lambda: [one.name for one in found],
        people,
    )
