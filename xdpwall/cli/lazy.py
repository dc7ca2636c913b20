"""Groups whose sub-commands are imported only when they run.

`xdpwall --help` lists a dozen commands and must not import any of them: the one-line help stands
in the table beside the place where the command lives, and the command takes it from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from xdpwall.errors import InvalidInput
from xdpwall.values.inputs import error_value, quoted


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command lives ("module:attribute" below xdpwall.cli.commands) and its one-line help."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """A group over a table of lazy commands, with synonyms; commands in `future` are refused."""

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, LazyCommand] | None = None,
        synonyms: Mapping[str, str] | None = None,
        future: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.table = dict(table or {})
        self.synonyms = dict(synonyms or {})
        self.future = future

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands of this version in the order of the table, not of the alphabet."""
        return [*self.table, *(name for name in self.commands if name not in self.table)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, once; synonyms lead to the same one."""
        name = self.synonyms.get(cmd_name, cmd_name)
        if name in self.commands:
            return self.commands[name]
        if name in self.table:
            module, _, attribute = self.table[name].target.partition(":")
            command = getattr(import_module(f"xdpwall.cli.commands.{module}"), attribute)
            assert isinstance(command, click.Command)
            command.short_help = self.table[name].summary
            self.commands[name] = command
            return command
        return _refused_command(name) if name in self.future else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve synonyms to the command's own name, which errors and usage lines then show."""
        if args[0][:1].isalnum() and self.get_command(ctx, args[0]) is None:
            from .command_hints import command_hint  # only an error needs it

            if hint := command_hint(ctx.command_path, args[0], self.list_commands(ctx)):
                message = f"no such command {quoted(args[0])}"
                raise InvalidInput(message, field="command", value=error_value(args[0]), hint=hint)
        name, command, rest = super().resolve_command(ctx, args)
        return (command.name if command and name in self.synonyms else name), command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their help from the table, so that nothing is imported."""
        rows = [(name, self.table[name].summary) for name in self.table]
        short = {v: k for k, v in self.synonyms.items()}
        rows = [(f"{n}, {short[n]}" if n in short else n, text) for n, text in rows]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def not_in_this_version(what: str, field: str | None = None) -> InvalidInput:
    """Make the error for a part of the command line that this version does not have yet."""
    return InvalidInput(
        f"{what} is not in this version", code="not-in-this-version", field=field or what
    )


def _refused_command(name: str) -> click.Command:
    def refuse(words: tuple[str, ...]) -> None:
        raise not_in_this_version(name)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)],
        hidden=True,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
