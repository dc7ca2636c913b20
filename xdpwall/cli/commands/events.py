"""xdpwall events, events show, events set"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.lazy import LazyCommand, LazyGroup
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.shell_complete import (
    complete_interfaces,
    complete_protocols,
    complete_rule_ids,
    complete_verdicts,
)
from xdpwall.cli.terminal.event_line import event_words
from xdpwall.cli.terminal.output import Printer, TableCell, paint
from xdpwall.cli.terminal.problems import print_note, print_warnings
from xdpwall.errors import Failed, InvalidInput, NotFound
from xdpwall.events.settings import FIELDS
from xdpwall.values.inputs import did_you_mean

if TYPE_CHECKING:
    from xdpwall.cli.client.event_source import PacketSource
    from xdpwall.events.filter import EventFilter
    from xdpwall.views.events import EventCounts, EventsView, PacketEvent

_WAIT = 0.5
TABLE = {
    "show": LazyCommand("events:show", "Which packets become events, and how many did"),
    "set": LazyCommand("events:set_", "Change which packets become events"),
}


class _DefaultGroup(LazyGroup):
    """A group that is also a command, when no sub-command is named."""


@click.group(cls=_DefaultGroup, table=TABLE, invoke_without_command=True)
@click.option(
    "--rule",
    metavar="ID",
    shell_complete=complete_rule_ids,
    help="Only what this rule decided or logged.",
)
@click.option("--src", metavar="PREFIX", help="Only from there; ! in front for all others.")
@click.option("--dst", metavar="PREFIX", help="Only to there; ! in front for all others.")
@click.option(
    "--iface",
    metavar="IFACE",
    shell_complete=complete_interfaces,
    help="Only on this interface; ! in front for all others.",
)
@click.option(
    "--verdict",
    metavar="VERDICT",
    shell_complete=complete_verdicts,
    help="Only drop, or only pass (accept is taken too).",
)
@click.option(
    "--proto",
    metavar="PROTO",
    shell_complete=complete_protocols,
    help="Only this protocol: a name or a number.",
)
@click.option(
    "--last",
    metavar="N",
    type=click.IntRange(0, 500),
    help="First up to N of those that the service still has, then those that come.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="First those since a time, or of the last 10m, that the service still has.",
)
@click.option("--pcap", metavar="FILE", help="Write a pcapng capture too; - is stdout.")
@click.option("-c", "--count", type=click.IntRange(1), help="End after so many.")
@common_options()
@click.pass_context
def events(
    ctx: click.Context,
    /,
    pcap: str | None,
    count: int | None,
    last: int | None,
    since: str | None,
    **wanted: str | None,
) -> None:
    """Print packets as they come: those of rules with `log`, or each drop.

    What comes is decided by `rule set ID --log` and by `events set`. Nothing is read twice: the
    service hands events to everybody, and keeps the latest 500 for --last and --since; without it,
    one command reads at a time, and none is kept.

    \b
    Examples:
      xdpwall events --verdict drop --src 192.0.2.0/24
      xdpwall events --last 20 --rule noping
      xdpwall events -o json | jq .src
      xdpwall events --pcap - | wireshark -k -i -
      xdpwall events set --log-drops on
    """
    if ctx.invoked_subcommand is not None:
        return
    from xdpwall.cli.client.event_source import event_source
    from xdpwall.events.filter import EventFilter

    chosen = EventFilter.parse(**wanted)
    asked = invocation.get()
    if pcap == "-" and asked.output != "table":
        raise InvalidInput("pcap: stdout takes the capture or -o, not both", field="pcap")
    from xdpwall.values.time_read import parse_since

    begin = None if since is None else parse_since("since", since)
    gc.enable()
    with ExitStack() as stack:
        source = stack.enter_context(event_source(kept=last is not None or begin is not None))
        if chosen.rule is not None:
            _check_rule(chosen.rule)
        kept = _kept(source, chosen, last, begin)
        before = source.events_view()
        print_warnings(_off_warning(before), asked)
        takers = [] if pcap == "-" else [_printer()]
        if pcap is not None:
            takers.append(_capture(pcap, before, stack))
        for event in kept if count is None else kept[:count]:
            for take in takers:
                take(event)
        print_note("watching; Ctrl-C ends", asked)
        try:
            left = None if count is None else count - len(kept)
            if left is None or left > 0:
                _follow(source, chosen, takers, left)
        finally:
            _summary(source, before.counts)


def _kept(
    source: PacketSource, chosen: EventFilter, last: int | None, begin: str | None
) -> list[PacketEvent]:
    """The events before this command that are asked for. InvalidInput without the service."""
    if last is None and begin is None:
        return []
    if source.kept is None:
        raise InvalidInput(
            f"{'last' if last is not None else 'since'}: nobody keeps events without the service",
            field="last" if last is not None else "since",
            hint="xdpwall serve",
        )
    found = [one for one in source.kept if chosen.wants(one)]
    if begin is not None:
        # A time with a fraction of a second comes after the same one without.
        found = [one for one in found if one.time.rstrip("Z") >= begin.rstrip("Z")]
    return found if last is None else found[len(found) - min(last, len(found)) :]


def _check_rule(rule_id: str) -> None:
    """NotFound for an id that no rule has: nothing would ever come."""
    with open_firewall() as fw:
        ids = [rule.id for rule in fw.rules().rules]
    if rule_id not in ids:
        raise NotFound(
            f"rule: no rule with the id {rule_id!r}",
            field="rule",
            value=rule_id,
            hint=did_you_mean(rule_id, ids) or "xdpwall rule list names them",
        )


def _follow(
    source: PacketSource,
    chosen: EventFilter,
    takers: list[Callable[[PacketEvent], None]],
    count: int | None,
) -> None:
    shown = 0
    while True:
        for event in source.read(_WAIT):
            if not chosen.wants(event):
                continue
            for take in takers:
                take(event)
            shown += 1
            if shown == count:
                return
        sys.stdout.flush()


def _off_warning(found: EventsView) -> list[str]:
    if not found.settings.enabled:
        return ["events are off: xdpwall events set --enabled on"]
    return []


def _summary(source: PacketSource, before: EventCounts) -> None:
    """Print how many packets were not seen, and why; also when the command is interrupted."""
    counts = source.events_view().counts
    words = {
        "lost": "lost, the buffer was full",
        "limited": "over the rate",
        "sampled": "sampled out",
    }
    unseen = [
        f"{getattr(counts, name) - getattr(before, name)} {text}"
        for name, text in words.items()
        if getattr(counts, name) > getattr(before, name)
    ]
    if source.missed:
        unseen.append(f"{source.missed} too fast for the service")
    print_note(
        "; ".join(["", *unseen]).removeprefix("; ") or "every packet was reported", invocation.get()
    )


def _printer() -> Callable[[PacketEvent], None]:
    asked = invocation.get()
    printer = Printer(asked)

    def show(event: PacketEvent) -> None:
        if asked.output == "json":
            printer.json(event.to_json(), one_line=True)
        elif asked.output == "yaml":
            printer.text("---\n")
            printer.yaml(event.to_json())
        elif asked.output == "name" or asked.quiet:
            printer.line(event.rule or "policy")
        else:
            color = "red" if event.verdict == "drop" else "green"
            verdict = paint(f"{event.verdict:4}", color if printer.color else None)
            time = event.time.partition("T")[2].rstrip("Z")
            printer.text(f"{time} {verdict} {event_words(event)}\n")

    return show


def _capture(where: str, now: EventsView, stack: ExitStack) -> Callable[[PacketEvent], None]:
    from xdpwall.events.pcapng import PcapWriter

    if now.settings.bytes == 0:
        raise InvalidInput(
            "pcap: events carry none of the frames' bytes",
            field="pcap",
            hint="xdpwall events set --bytes 128",
        )
    if where == "-":
        file: BinaryIO = sys.stdout.buffer
    else:
        file = stack.enter_context(_opened(where))
    writer = PcapWriter()
    _write(file, writer.head(), where)
    return lambda event: _write(file, writer.packet(event), where)


def _opened(where: str) -> BinaryIO:
    from xdpwall.firewall.owner import own_rights

    try:
        with own_rights():
            return open(where, "wb")
    except OSError as error:
        raise _unwritable(where, error) from error


def _unwritable(where: str, error: OSError) -> Failed:
    return Failed(f"{where}: cannot be written: {error.strerror}", detail=str(error))


def _write(file: BinaryIO, data: bytes, where: str) -> None:
    try:
        file.write(data)
        file.flush()  # Wireshark at the other end of a pipe shows each packet as it comes.
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(where, error) from error


@click.command()
@common_options()
def show() -> None:
    """Which packets become events, how many did, and how many were left out.

    \b
    Examples:
      xdpwall events show
    """
    printer = Printer(invocation.get())
    with open_firewall() as fw:
        found = fw.events()
    printer.show(found.to_json, lambda: FIELDS, lambda: _facts(printer, found))


@click.command(name="set")
@click.option("--enabled", metavar="on|off", help="Off: no packet is reported, whatever rules say.")
@click.option("--log-drops", metavar="on|off", help="Report each drop, not only those of rules.")
@click.option("--sample", metavar="N", help="Report one in N, by chance.")
@click.option("--rate", metavar="N", help="At most N a second of one rule on one CPU.")
@click.option("--bytes", metavar="N", help="First bytes of the frame in an event: 0 to 256.")
@change_options()
@common_options()
def set_(**given: str | None) -> None:
    """Change which packets become events; in force with the next packet.

    \b
    Examples:
      xdpwall events set --log-drops on --rate 1000
      xdpwall events set --enabled off
    """
    words = {"on": True, "off": False}
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in ("enabled", "log_drops"):
            if value not in words:
                raise InvalidInput(
                    f"{name} must be on or off, got {value!r}", field=name, value=value
                )
            changes[name] = words[value]
        else:
            changes[name] = value
    if not changes:
        raise InvalidInput(
            "events: nothing to change", field="events", hint="--log-drops on, --rate 1000, ..."
        )
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.set_events(changes, by=asked.author())
    printer = Printer(asked)
    printer.show(outcome.to_json, lambda: changes, lambda: _facts(printer, outcome))


def _facts(printer: Printer, found: EventsView) -> None:
    s, c = found.settings, found.counts
    state = TableCell("on", "green") if s.enabled else TableCell("off", "yellow")
    which = (
        "each drop, and packets of rules with log" if s.log_drops else "packets of rules with log"
    )
    printer.facts(
        [
            ("events", state),
            ("reported", which + (f", one in {s.sample}" if s.sample > 1 else "")),
            ("rate", f"{s.rate} a second of one rule on one CPU"),
            ("bytes", f"{s.bytes} of each frame"),
            ("reader", found.reader or "nobody: events wait until the buffer is full"),
            ("sent", str(c.sent)),
            ("left out", f"{c.limited} over the rate, {c.sampled} sampled out, {c.lost} lost"),
        ]
    )
