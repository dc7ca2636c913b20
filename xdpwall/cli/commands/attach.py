"""xdpwall attach, detach"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import Invocation, change_options, common_options, invocation
from xdpwall.cli.shell_complete import complete_attached, complete_interfaces
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_pending, print_warnings, require
from xdpwall.cli.way_out import act_in_need
from xdpwall.values.inputs import first_few

if TYPE_CHECKING:
    from xdpwall.firewall.facade import Facade
    from xdpwall.ruleset.attachment import AttachmentSpec
    from xdpwall.values.terms import Direction, Hook, WantedMode
    from xdpwall.views.attachments import AttachOutcome, DetachOutcome

HOOK = click.Choice(("xdp", "tc"))
DIRECTION = click.Choice(("ingress", "egress"))


@click.command()
@click.argument("iface", shell_complete=complete_interfaces)
@click.option("--hook", type=HOOK, default="xdp", show_default=True, help="Where packets are met.")
@click.option(
    "--direction",
    type=DIRECTION,
    default="ingress",
    show_default=True,
    help="egress needs --hook tc.",
)
@click.option(
    "--mode",
    type=click.Choice(("auto", "native", "generic")),
    default="auto",
    show_default=True,
    help="XDP only: auto tries native, then generic, and says which it got and why.",
)
@click.option("--replace", is_flag=True, help="Take the place of somebody else's program.")
@click.option("--if-present", is_flag=True, help="The interface need not exist yet.")
@click.option("--hold", is_flag=True, help="The service puts it back when somebody takes it off.")
@change_options(guarded=True, confirms=True)
@common_options()
def attach(
    iface: str,
    hook: Hook,
    direction: Direction,
    mode: WantedMode,
    replace: bool,
    if_present: bool,
    hold: bool,
) -> None:
    """Attach the filter to an interface, or to all that match, now and later.

    It judges every packet from then on, and stays when this command ends. Attaching what is
    attached already is success. Somebody else's program is never displaced without --replace.

    'veth*' is every interface with such a name, ports:docker0 every port of that bridge or bond, --if-present a
    name that may come later: wanted until they are detached, and in place whenever a matching interface is.

    A program that somebody takes off is told within a second by the service, and put back by `xdpwall restore`, or,
    with --hold, which is wanted until it is detached too, by the service at once.

    \b
    Examples:
      xdpwall attach eth1 --mode generic
      xdpwall attach docker0
      xdpwall attach docker0 --hook tc --direction egress
      xdpwall attach 'veth*'
      xdpwall attach ports:docker0 --hook tc
      xdpwall attach usb0 --if-present
      xdpwall attach eth1 --hold
    """
    from xdpwall.ruleset.attachment import AttachmentSpec, refuse_to_replace

    # refuses what no kernel needs to be asked for
    spec = AttachmentSpec(iface, hook, direction, mode, if_present, hold)
    if replace and spec.by_policy:
        raise refuse_to_replace(spec)
    asked = invocation.get()
    if spec.by_policy:
        _want(spec, asked)
        return
    with open_firewall() as fw:
        outcome = fw.attach(
            iface, hook=hook, direction=direction, mode=mode, replace=replace, by=asked.author()
        )
    print_warnings(outcome.warnings, asked)
    print_pending(outcome.pending, asked)
    name = f"{outcome.attachment.iface}/{outcome.attachment.place}"
    Printer(asked).show(outcome.to_json, lambda: [name], lambda: print_note(_words(outcome), asked))


def _want(spec: AttachmentSpec, asked: Invocation) -> None:
    with open_firewall() as fw:
        outcome = fw.want(spec, by=asked.author())
    print_warnings(outcome.warnings, asked)
    view = outcome.wanted
    words = f"{view.iface}: {view.place} {'wanted' if outcome.changed else 'already wanted'}"
    if view.why_none:
        words += f"; {view.why_none}: attached when one comes"
    elif view.in_place:
        words += f"; in place on {first_few(view.in_place)}"

    def people() -> None:
        print_note(words, asked)

    names = [f"{name}/{view.place}" for name in view.in_place]
    Printer(asked).show(outcome.to_json, lambda: names, people)


@click.command()
@click.argument("iface", required=False, shell_complete=complete_attached)
@click.option("--all", "every", is_flag=True, help="From every interface.")
@click.option("--hook", type=HOOK, help="This hook only; both when absent.")
@click.option("--direction", type=DIRECTION, help="This direction only; both when absent.")
@change_options(confirms=True)
@common_options()
def detach(iface: str | None, every: bool, hook: Hook | None, direction: Direction | None) -> None:
    """Take the filter off an interface. Its packets pass from then on.

    Only programs of this instance go, never somebody else's. A program whose interface was moved to
    another network namespace is taken off there; where that cannot be done it lets everything pass,
    and the exit code is 1.
    Works also where the disk cannot be used or the service hangs: what could not be recorded is said.

    \b
    Examples:
      xdpwall detach eth1
      xdpwall detach docker0 --hook tc
      xdpwall detach --all
    """
    require(iface or every, "which interface?", field="iface", hint="give IFACE, or --all")
    require(not (iface and every), "either IFACE or --all", field="iface")
    asked = invocation.get()

    def take_off(fw: Facade) -> DetachOutcome:
        return fw.detach(iface, hook=hook, direction=direction, by=asked.author())

    outcome = act_in_need(take_off, seconds=5.0)
    print_warnings(outcome.warnings, asked)
    gone = outcome.detached
    words = f"detached: {', '.join(gone)}" if gone else "nothing was attached"
    if outcome.pending is not None:
        words = f"{outcome.pending.action}: its packets pass"
    print_pending(outcome.pending, asked)
    Printer(asked).show(
        outcome.to_json,
        lambda: [name.replace(" ", "/") for name in gone],
        lambda: print_note(words, asked),
    )


def _words(outcome: AttachOutcome) -> str:
    now = outcome.attachment
    what = f"{now.iface}: {now.place}" + (f" {now.mode}" if now.mode else "")
    sees = f"; sees {', '.join(now.sees)}" if now.sees else ""
    why = f" ({outcome.why_generic})" if outcome.why_generic else ""
    return f"{what} {'attached' if outcome.changed else 'already attached'}{why}{sees}"
