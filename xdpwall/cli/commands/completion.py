"""xdpwall completion"""

from __future__ import annotations

import click

from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.output import Printer


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@common_options()
def completion(shell: str) -> None:
    """Print a completion script: commands, options, interfaces and rule ids.

    \b
    Examples:
      source <(xdpwall completion bash)
      xdpwall completion zsh > ~/.zfunc/_xdpwall
      xdpwall completion fish > ~/.config/fish/completions/xdpwall.fish
    """
    from click.shell_completion import get_completion_class

    from xdpwall.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "xdpwall", "_XDPWALL_COMPLETE")
    # Not .source(): for bash that would start a bash to learn its version.
    text = script.source_template % script.source_vars()
    Printer(invocation.get()).text(text)
