"""xdpwall version"""

from __future__ import annotations

import click

from .. import __version__
from .options import common, invocation
from .output import Printer


@click.command()
@common()
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
