"""xdpwall trace"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from xdpwall.cli import shell_complete
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings

if TYPE_CHECKING:
    from pathlib import Path

    from xdpwall.trace.tracer import Tracer
    from xdpwall.views.drops import Drop

_WAIT = 0.5


@click.command()
@click.option("--src", metavar="PREFIX", help="Only from there; ! in front for all others.")
@click.option("--dst", metavar="PREFIX", help="Only to there; ! in front for all others.")
@click.option("--proto", metavar="PROTO", help="Only this protocol: a name or a number.")
@click.option("--dport", metavar="PORT", help="Only to this port.")
@click.option(
    "--iface",
    metavar="IFACE",
    shell_complete=shell_complete.complete_interfaces,
    help="Only on this interface; ! in front for all others.",
)
@click.option(
    "--reason",
    "reasons",
    metavar="REASON",
    multiple=True,
    shell_complete=shell_complete.complete_drop_reasons,
    help="Only for this reason, as the kernel names it; may stand several times.",
)
@click.option("--stack", is_flag=True, help="Print the functions on the stack with each drop.")
@click.option("--summary", is_flag=True, help="Count by reason and function; print at the end.")
@click.option("--reasons", "listing", is_flag=True, help="Print the reasons this kernel knows.")
@click.option("-c", "--count", type=click.IntRange(1), help="End after so many drops.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="End after so long.")
@common_options()
def trace(
    *,
    reasons: tuple[str, ...],
    stack: bool,
    summary: bool,
    listing: bool,
    count: int | None,
    seconds: float | None,
    **wanted: str | None,
) -> None:
    """Say who drops packets: our rules, or anything else in the kernel, and where.

    One stream of both, from every network namespace: the reason and the function where the kernel
    let go of the packet, and the rule where it was ours. What the kernel calls consumed is no
    drop and left out. Needs BCC (python3-bpfcc) and root; other commands do not.

    \b
    Examples:
      sudo xdpwall trace --dst 192.0.2.10 --dport 443
      sudo xdpwall trace --reason NETFILTER_DROP --stack
      sudo xdpwall trace -o json | jq .function
      sudo xdpwall trace --summary --seconds 10
    """
    from xdpwall.cli.terminal.drop_line import drop_printer, print_summary
    from xdpwall.trace.filters import DropFilter
    from xdpwall.trace.summary import DropCounter
    from xdpwall.trace.tracer import Tracer, known_reasons

    asked = invocation.get()
    if listing:
        _list([*known_reasons()])
        return
    chosen = DropFilter.parse(reasons=known_reasons(reasons), **wanted)
    gc.enable()
    _end_tidily()
    with Tracer(chosen, asked.settings(), stack=stack) as tracer:
        print_warnings(tracer.warnings, asked)
        print_note("tracing; Ctrl-C ends it", asked)
        counting = DropCounter()
        begun = time.monotonic()
        take = counting.add if summary else named_drops(drop_printer(), asked.settings().containers)
        try:
            _follow(tracer, take, count, seconds)
        except KeyboardInterrupt:
            for drop in tracer.read_remaining():
                take(drop)
            raise
        finally:
            if summary:
                print_summary(counting.summary(time.monotonic() - begun, tracer.lost))
            elif tracer.lost:
                print_note(
                    f"{tracer.lost} drops were not seen: more came than could be read", asked
                )


def named_drops(take: Callable[[Drop], None], containers: Path) -> Callable[[Drop], None]:
    """`take` of drops with what lies behind their interfaces, where those are of this namespace."""
    from xdpwall.firewall.container_names import NamesLook

    names = NamesLook(containers)

    def take_named(drop: Drop) -> None:
        words = None if drop.netns is not None or drop.iface is None else names().get(drop.iface)
        take(drop if words is None else drop.model_copy(update={"behind": words}))

    return take_named


def _follow(
    tracer: Tracer, take: Callable[[Drop], None], count: int | None, seconds: float | None
) -> None:
    end = time.monotonic() + (seconds if seconds is not None else float("inf"))
    shown = 0
    while (left := end - time.monotonic()) > 0:
        for drop in tracer.read(min(_WAIT, left)):
            take(drop)
            shown += 1
            if shown == count:
                return
        sys.stdout.flush()
    for drop in tracer.read_remaining():
        take(drop)


def _end_tidily() -> None:
    """Programs in the kernel work for a trace: whoever ends it by a signal ends that too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def _list(names: list[str]) -> None:
    printer = Printer(invocation.get())

    def people() -> None:
        for name in names:
            printer.line(name)

    printer.show(lambda: names, lambda: names, people)
