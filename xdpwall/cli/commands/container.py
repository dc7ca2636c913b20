"""xdpwall container list, follow"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.lazy import LazyCommand, LazyGroup
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.output import Column, Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings
from xdpwall.cli.terminal.published import NOBODY_ASKS, port_words
from xdpwall.errors import XdpwallError

if TYPE_CHECKING:
    from xdpwall.views.containers import ContainerSnapshot, ContainerView

TABLE = {
    "list": LazyCommand("container:list_", "List containers and the interfaces that lead to them"),
    "follow": LazyCommand("container:follow", "Ask the container engine, and go on asking"),
}
ENGINE = Path("/run/docker.sock")


@click.group(
    name="container", cls=LazyGroup, table=TABLE, synonyms={"ls": "list"}, no_args_is_help=True
)
@common_options()
def container() -> None:
    """Containers by name: which interface leads to which.

    Off until somebody asks the engine: `systemctl enable --now xdpwall-containers`, or `follow` by hand.
    What it tells goes into a file, which is all that the service and the other commands read: whoever may
    open the engine's socket is root of the host.

    \b
    Examples:
      sudo systemctl enable --now xdpwall-containers
      sudo xdpwall container list
    """


@click.command(name="list")
@common_options()
def list_() -> None:
    """List containers with their networks, interfaces of the host and published ports.

    \b
    Examples:
      sudo xdpwall container list
      sudo xdpwall container list -o json
    """
    asked = invocation.get()
    with open_firewall() as fw:
        found = fw.containers()
    print_warnings(found.problems, asked)
    printer = Printer(asked)

    def people() -> None:
        if found.engine is None:
            printer.line(NOBODY_ASKS, "dim")
        elif not found.containers:
            printer.line("no container runs", "dim")
        else:
            names = ("CONTAINER", "IMAGE", "NETWORK", "ADDRESS", "INTERFACE", "PUBLISHED")
            printer.table([Column(name) for name in names], [_row(one) for one in found.containers])

    printer.show(found.to_json, lambda: [one.container.name for one in found.containers], people)


@click.command()
@click.option(
    "--engine",
    type=click.Path(path_type=Path),
    default=ENGINE,
    show_default=True,
    metavar="SOCKET",
    help="Docker's, or Podman's compatible one.",
)
@common_options()
def follow(engine: Path) -> None:
    """Ask the container engine by its socket what runs, and again whenever that changes, until Ctrl-C.

    It asks (GET) and changes nothing. While the engine does not answer, what it told last stands, and is said
    to be old.

    \b
    Examples:
      sudo xdpwall container follow
      sudo xdpwall container follow --engine /run/podman/podman.sock
    """
    import signal

    from xdpwall.containers.engine import Engine
    from xdpwall.containers.follow import Follower
    from xdpwall.containers.handover import Handover

    asked = invocation.get()
    path = asked.settings().containers
    with Handover(path) as handover:

        def publish(snapshot: ContainerSnapshot) -> None:
            handover.write(snapshot)
            print_warnings(snapshot.problems, asked)
            print_note(f"{len(snapshot.containers)} containers: {path}", asked)

        with Follower(Engine(engine), publish, last=_told_before(path)) as follower:
            signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
            follower.run()


def _told_before(path: Path) -> ContainerSnapshot | None:
    """What the file has; nothing where it cannot be read: it is written anew."""
    from xdpwall.containers.handover import read_snapshot

    try:
        return read_snapshot(path)
    except (XdpwallError, OSError):
        return None


def _row(view: ContainerView) -> list[str]:
    one = view.container
    addresses = [a for end in one.networks for a in (end.address, end.address6) if a]
    return [
        one.name,
        one.image,
        ",".join(end.name for end in one.networks) or "-",
        ",".join(addresses) or "-",
        ",".join(port.iface for port in view.ports) or "-",
        ",".join(port_words(port) for port in one.published) or "-",
    ]
