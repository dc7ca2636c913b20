"""xdpwall help"""

from __future__ import annotations

import click

from xdpwall.cli.options import common_options


@click.command(name="help")
@click.argument("words", nargs=-1, metavar="[COMMAND...]")
@common_options()
@click.pass_context
def help_(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Print the help of a command, as --help behind it does.

    \b
    Examples:
      xdpwall help
      xdpwall help rule add
    """
    assert ctx.parent is not None
    context: click.Context = ctx.parent
    name: str | None
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
