"""Published ports of containers as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .output import Column, Printer, TableCell
from .problems import print_warnings

if TYPE_CHECKING:
    from xdpwall.views.containers import PublishedCover, PublishedList, PublishedPort

NOBODY_ASKS = "nobody asks a container engine: systemctl enable --now xdpwall-containers"
_COLUMNS = ("PUBLISHED", "CONTAINER", "INTERFACE", "FROM OUTSIDE", "DECIDED BY")


def port_words(port: PublishedPort) -> str:
    """`0.0.0.0:8080->80/tcp`, as Docker writes it."""
    where = f"[{port.address}]" if ":" in port.address else port.address
    return f"{where}:{port.port}->{port.target}/{port.protocol}"


def show_published(printer: Printer, found: PublishedList) -> None:
    """Show every published port, interface by interface."""

    def people() -> None:
        if found.engine is None:
            printer.line(NOBODY_ASKS, "dim")
        elif not found.ports:
            printer.line("nothing is published to the outside", "dim")
        else:
            printer.table([Column(name) for name in _COLUMNS], [_row(one) for one in found.ports])

    print_warnings(found.problems, printer.asked)
    printer.show(found.to_json, lambda: [port_words(one.port) for one in found.ports], people)


def _row(one: PublishedCover) -> list[str | TableCell]:
    color = {"closed": "green", "not filtered": "red"}.get(one.verdict, "yellow")
    return [
        port_words(one.port),
        one.container,
        one.iface,
        TableCell(one.verdict, color),
        _decided_by(one),
    ]


def _decided_by(one: PublishedCover) -> str:
    if one.verdict == "not filtered":
        return f"nothing: {one.cure}"
    words = [f"{rule.id or rule.position} {rule.text}" for rule in one.rules]
    return "; ".join([*words, *(["the ingress policy"] if one.policy else [])]) or "-"
