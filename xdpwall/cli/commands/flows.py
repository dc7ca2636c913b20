"""xdpwall flows, flows flush, flows size"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.lazy import LazyCommand, LazyGroup
from xdpwall.cli.options import change_options, common_options, invocation, watch_options
from xdpwall.cli.shell_complete import complete_protocols, complete_rule_ids
from xdpwall.cli.terminal.output import Column, Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings
from xdpwall.cli.terminal.watching import begin_look, look_times

if TYPE_CHECKING:
    from xdpwall.views.flows import FlowFill, FlowFilter, FlowList, FlowView

F = TypeVar("F", bound=Callable[..., Any])
TABLE = {
    "flush": LazyCommand("flows:flush", "End flows: their next packet belongs to none"),
    "size": LazyCommand("flows:size", "Give the tables more or fewer places"),
}


def _filters(function: F) -> F:
    """The options that say which flows, passed on as `proto`, `src`, `dst`, `port`, `state`, `rule`."""
    for option in reversed(
        (
            click.option(
                "--proto",
                metavar="PROTO",
                shell_complete=complete_protocols,
                help="Only this protocol: a name or a number.",
            ),
            click.option("--from", "src", metavar="PREFIX", help="Only those that began there."),
            click.option("--to", "dst", metavar="PREFIX", help="Only those that began with that."),
            click.option(
                "--port", metavar="N", help="Only with this port, on either side: TCP, UDP, SCTP."
            ),
            click.option(
                "--state",
                metavar="STATE",
                help="Only new, established, closing (one side has sent a FIN) or closed.",
            ),
            click.option(
                "--rule",
                metavar="ID",
                shell_complete=complete_rule_ids,
                help="Only those that this rule made; it may be deleted.",
            ),
        )
    ):
        function = option(function)
    return function


@click.group(
    cls=LazyGroup,
    table=TABLE,
    invoke_without_command=True,
)
@_filters
@click.option("--top", is_flag=True, help="Those with most packets first.")
@click.option(
    "--limit",
    type=click.IntRange(0, 10_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="At most so many.",
)
@watch_options
@common_options()
@click.pass_context
def flows(
    ctx: click.Context,
    /,
    top: bool,
    limit: int,
    watch: bool,
    interval: float,
    times: int | None,
    **wanted: str | None,
) -> None:
    """List the connections that rules with `keep` have let in or out.

    A flow is what is remembered of the packets between two endpoints, both directions together. It is
    made by a packet that passes by a rule with `keep`, or a policy `accept keep`, and makes the answers
    `established` for rules with `state`. PACKETS may be a few less than there were, where two CPUs
    handle both directions at once.

    \b
    Examples:
      xdpwall flows
      xdpwall flows --proto tcp --port 443 --top
      xdpwall flows --top --limit 20 --watch
      xdpwall flows --from 10.0.0.0/8 --state established
      xdpwall flows flush --rule ssh
    """
    if ctx.invoked_subcommand is not None:
        return
    from xdpwall.views.flows import parse_flow_filter

    asked = invocation.get()
    printer = Printer(asked)
    chosen = parse_flow_filter(**wanted)
    if watch:
        gc.enable()
    looks: Iterable[object] = look_times(interval, times) if watch else (0,)
    with open_firewall() as fw:
        for number, _ in enumerate(looks):
            _show(printer, fw.flows(chosen, limit=limit, top=top), number if watch else None)
            printer.stream.flush()


@click.command()
@_filters
@change_options()
@common_options()
def flush(**wanted: str | None) -> None:
    """End flows, all of them or those that the options say.

    The next packet of one belongs to no flow: it is judged as the first of a new one. TCP connections of
    this host itself go on, as their sockets are known.

    \b
    Examples:
      xdpwall flows flush
      xdpwall flows flush --from 203.0.113.7
    """
    from xdpwall.views.flows import parse_flow_filter

    asked = invocation.get()
    chosen: FlowFilter = parse_flow_filter(**wanted)
    with open_firewall() as fw:
        outcome = fw.flush_flows(chosen, by=asked.author())
    Printer(asked).show(
        outcome.to_json,
        lambda: [str(outcome.flushed)],
        lambda: print_note(f"ended {outcome.flushed:,} flow{'s' * (outcome.flushed != 1)}", asked),
    )


@click.command()
@click.argument("places", type=int, metavar="N")
@change_options()
@common_options()
def size(places: int) -> None:
    """Give the table of each family N places, a power of two.

    A place takes 36 bytes for IPv4 and 68 for IPv6; 262,144 is the default. Half full, a table loses one flow in a
    thousand before its time. More places are in force at once, in tables that are made anew: TCP of this host goes on by
    its sockets, UDP and pings are judged as new ones. Fewer are in force after a reboot. It is no part of a
    revision, and stays.

    \b
    Examples:
      xdpwall flows size 1048576
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.size_flows(places, by=asked.author())
    print_warnings(outcome.warnings, asked)
    now = "in force" if outcome.in_force else "recorded"
    Printer(asked).show(
        outcome.to_json,
        lambda: [str(outcome.places)],
        lambda: print_note(f"{outcome.places:,} places a family: {now}", asked),
    )


def _show(printer: Printer, found: FlowList, look: int | None) -> None:
    """Print the flows; `look`: while watching, the number of the look."""
    asked = printer.asked
    if look is not None and asked.output == "json":
        printer.json(found.to_json(), one_line=True)
        return
    if look is not None and asked.output not in ("yaml", "name") and not asked.quiet:
        begin_look(printer, look)
    elif look is not None and asked.output == "yaml":
        printer.text("---\n")
    printer.show(
        found.to_json, lambda: [_name(one) for one in found.flows], lambda: _table(printer, found)
    )


def _table(printer: Printer, found: FlowList) -> None:
    if found.flows:
        columns = [
            *(Column("PROTO"), Column("ORIGIN"), Column("REPLY"), Column("STATE")),
            *(Column("AGE", right=True), Column("EXPIRES", right=True)),
            *(Column("PACKETS", right=True), Column("RULE")),
        ]
        printer.table(columns, [_row(printer, one) for one in found.flows])
    else:
        printer.line("no flows", "dim")
    if found.total > len(found.flows):
        printer.line(f"... {found.total - len(found.flows):,} more: --limit", "dim")
    printer.line(fill_words(found.fill), "dim")


def fill_words(fill: FlowFill) -> str:
    """`1,204 of 262,144 (v4), 88 (v6); made 9,311, evicted 0, lost 0, by socket 3`."""
    if not fill.tracking:
        return "nothing is tracked: no rule has state or keep, and no policy says accept keep"
    counts = fill.counts
    said = ", ".join(f"{name} {_seconds(value)}" for name, value in fill.timeouts.items())
    return (
        f"{fill.ipv4:,} of {fill.size:,} (v4), {fill.ipv6:,} (v6); made {counts.made:,}, evicted "
        f"{sum(counts.evicted.values()):,}, lost {counts.lost:,}, by socket {counts.by_socket:,}"
        f"{said and f'; timeouts: {said}'}"
    )


def _row(printer: Printer, one: FlowView) -> list[str]:
    return [
        str(one.proto),
        _end(one.src, one.sport if one.ident is None else one.ident, one.iface),
        _end(one.dst, one.dport, one.iface),
        one.state,
        "-" if one.age is None else _seconds(one.age),
        _seconds(one.expires),
        printer.packets(one.packets),
        one.rule or "-",
    ]


def _end(address: str, port: int | None, iface: str | None) -> str:
    if iface is not None:
        address = f"{address}%{iface}"
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _seconds(count: int) -> str:
    if count < 120:
        return f"{count}s"
    minutes, seconds = divmod(count, 60)
    if minutes < 120:
        return f"{minutes}m{seconds:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m"


def _name(one: FlowView) -> str:
    return (
        f"{one.proto} {_end(one.src, one.sport, one.iface)} {_end(one.dst, one.dport, one.iface)}"
    )
