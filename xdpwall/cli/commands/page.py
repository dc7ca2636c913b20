"""xdpwall page"""

from __future__ import annotations

import click

from xdpwall.cli.client.connect import find_service
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note
from xdpwall.errors import ServiceUnreachable


@click.command()
@common_options()
def page() -> None:
    """Print an address that opens the page in a browser, once, within a minute.

    The browser gets a session of twelve hours with the role of whoever runs this: root is admin, the group
    xdpwall operator. `xdpwall token list` shows it, `xdpwall token revoke` ends it. From elsewhere, tunnel
    first: ssh -L 8480:127.0.0.1:8480 HOST.

    \b
    Examples:
      sudo xdpwall page
    """
    from xdpwall.cli.client.service_calls import read_answer
    from xdpwall.views.tokens import PageCode

    asked = invocation.get()
    service = find_service(asked.settings())
    if service is None:
        raise ServiceUnreachable(
            "the page is the service's, and no service runs",
            hint="start it: systemctl start xdpwall, or sudo xdpwall serve",
        )
    made = read_answer(PageCode, service.call("POST", "/page").body)

    def people() -> None:
        click.echo(made.url)
        print_note(
            f"opens the page once, within {made.seconds} s, with the role {made.role}", asked
        )

    Printer(asked).show(made.to_json, lambda: [made.url], people)
