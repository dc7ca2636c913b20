"""xdpwall version"""

from __future__ import annotations

import click

from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.output import Printer
from xdpwall.version import __version__


@click.command()
@common_options()
def version() -> None:
    """Print the version.

    \b
    Examples:
      xdpwall version
      xdpwall version -j
    """
    printer = Printer(invocation.get())
    printer.show(
        lambda: {"version": __version__},
        lambda: [__version__],
        lambda: printer.line(f"xdpwall {__version__}"),
    )
