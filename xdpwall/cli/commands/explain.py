"""xdpwall explain"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.ruleset_input import read_ruleset
from xdpwall.cli.shell_complete import complete_interfaces, complete_rule_ids
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note
from xdpwall.errors import Failed, InvalidInput, NeedsPrivileges, NotFound

if TYPE_CHECKING:
    from xdpwall.views.explain import (
        ExplainedHook,
        ExplainedPacket,
        ExplainedRule,
        ExplainReport,
        FieldDiffers,
        PacketInput,
    )

_MOST_BYTES = 64 << 20


@click.command()
@click.argument("words", nargs=-1, metavar="[PACKET...]")
@click.option("--pcap", metavar="FILE", help="Explain the packets of a capture file instead.")
@click.option(
    "--rule",
    metavar="ID",
    shell_complete=complete_rule_ids,
    help="Explain a packet that this rule decides; if there is none, one that it matches.",
)
@click.option(
    "--iface",
    metavar="IFACE",
    shell_complete=complete_interfaces,
    help="The interface that they come in by, or go out of.",
)
@click.option(
    "--file", metavar="RULESET", help="By this ruleset, which is not put in force; - reads it."
)
@common_options()
def explain(
    words: tuple[str, ...], pcap: str | None, rule: str | None, iface: str | None, file: str | None
) -> int:
    """Say what becomes of a packet, at each hook that it meets, and why.

    The packet is told in the words of a rule: a protocol (tcp/22, icmp/echo-request, proto 47), then from
    and to (ADDRESS or ADDRESS/PORT), sport, on, in or out, vlan, flags (those that are set: syn,ack, or
    none), length, ttl, fragment first or later; or ethertype N, or llc. What is not said is assumed, and
    told.

    The packet is run through the program in the kernel, on the maps that are in force, and is neither
    counted nor reported. Told are the rule or the policy that decides, rules in front that count it, the
    rules that it nearly matches, with the field that differs, and what of it cannot be read. Where nothing
    is attached it says what would be.

    \b
    Examples:
      xdpwall explain tcp/22 from 10.0.0.2 on eth0
      xdpwall explain tcp from 10.0.0.2/4000 to 10.0.0.1/22 flags syn,ack on eth1 out
      xdpwall explain icmp from 10.0.0.2 on docker0 --file new.yaml
      xdpwall explain --rule r2
      xdpwall explain --pcap capture.pcapng --iface eth0
    """
    asked = invocation.get()
    printer = Printer(asked)
    packets = [] if rule is not None else _packets(words, pcap, iface)
    if rule is not None and (words or pcap is not None or iface is not None):
        raise InvalidInput("--rule: a packet is given besides", field="rule", value=rule)
    ruleset = None if file is None else read_ruleset(file)
    with open_firewall() as fw:
        report = fw.explain(packets, ruleset, rules=[] if rule is None else [rule])
    printer.show(
        report.to_json,
        lambda: [one.verdict or "unknown" for one in report.packets],
        lambda: _people(printer, report),
    )
    if file is not None:
        print_note(f"by {file}, which is not in force", asked)
    if len(report.packets) > 1:
        dropped = sum(one.verdict == "drop" for one in report.packets)
        print_note(f"{len(report.packets)} packets: {dropped} dropped", asked)
    return 0


def _packets(words: tuple[str, ...], pcap: str | None, iface: str | None) -> list[PacketInput]:
    if bool(words) == (pcap is not None):
        raise InvalidInput(
            "wanted a packet in words, --pcap FILE, or --rule ID",
            field="packet",
            hint="xdpwall explain tcp/22 from 10.0.0.2 on eth0",
        )
    if pcap is not None:
        return _captured(pcap, iface)
    text = " ".join(words)
    if iface is not None:
        if "on" in text.split():
            raise InvalidInput("--iface: the packet says `on` already", field="iface", value=iface)
        text += f" on {iface}"
    return [text]


def _captured(file: str, iface: str | None) -> list[PacketInput]:
    from xdpwall.formats.capture import read_capture
    from xdpwall.views.explain import MOST_PACKETS, GivenFrame

    found: list[PacketInput] = []
    for one in read_capture(_read(file)):
        if len(found) == MOST_PACKETS:
            raise InvalidInput(
                f"{file}: more than {MOST_PACKETS} packets",
                field="pcap",
                code="too-many",
                hint=f"tcpdump -r {file} -c {MOST_PACKETS} -w fewer.pcap",
            )
        if len(one.data) < 14:
            raise InvalidInput(
                f"{file}: packet {len(found) + 1} has no whole Ethernet header", field="pcap"
            )
        frame = GivenFrame(
            data=one.data[:4096].hex(),
            length=one.length,
            iface=iface or one.iface,
            direction=one.direction or "ingress",
        )
        found.append(frame)
    if not found:
        raise InvalidInput(f"{file}: no packets in it", field="pcap")
    return found


def _read(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"{file}: no such file", field="pcap", value=file) from error
    except PermissionError as error:
        raise NeedsPrivileges(f"{file}: permission denied", field="pcap", value=file) from error
    except (OSError, ValueError) as error:
        raise Failed(f"{file}: cannot be read: {error}", field="pcap", value=file) from error
    if len(raw) > _MOST_BYTES:
        raise InvalidInput(f"{file}: larger than {_MOST_BYTES >> 20} MiB", field="pcap")
    return raw


def _people(printer: Printer, report: ExplainReport) -> None:
    for number, one in enumerate(report.packets, 1):
        head = one.packet or f"packet {number}: {one.bytes} bytes"
        printer.line(head, "bold")
        if one.behind is not None:
            printer.line(f"    {one.iface}: {one.behind}", "dim")
        if one.assumed:
            printer.line(f"    assumed: {', '.join(one.assumed)}", "dim")
        for note in one.notes:
            printer.line(f"    {note}")
        for hook in one.hooks:
            _hook(printer, one, hook)


def _hook(printer: Printer, packet: ExplainedPacket, hook: ExplainedHook) -> None:
    where = f"{packet.iface or 'any interface'} {hook.place}"
    would = "" if hook.attached else "would "
    printer.line(
        f"  {where}: {would}{_decision(hook)}", "red" if hook.verdict == "drop" else "green"
    )
    for note in hook.notes:
        printer.line(f"      {note}")
    for title, rules in (("counted before", hook.counted), ("expired", hook.expired)):
        for rule in rules:
            printer.line(f"      {title}: {_rule(rule)}")
    for one in hook.limited:
        why = "its rate is used up" if one.tokens == "none" else "its rate is not reached"
        printer.line(f"      {why}: {_rule(one.rule)}")
    for near in hook.near:
        differs = "; ".join(map(_difference, near.differs))
        printer.line(f"      not {_rule(near.rule)}")
        printer.line(f"          {differs}", "dim")
    if hook.state is not None:
        why = f" ({hook.why_invalid})" if hook.why_invalid else ""
        printer.line(f"      state: {hook.state}{why}")
    if hook.unreadable:
        printer.line(f"      cannot be read: {', '.join(hook.unreadable)}")


def _difference(one: FieldDiffers) -> str:
    has = "cannot be read" if one.unreadable else f"is {one.packet}"
    if one.packet is None and not one.unreadable:
        has = "is not there"
    return f"{one.field} {has}, the rule wants {one.rule}"


def _decision(hook: ExplainedHook) -> str:
    if hook.by == "rule" and hook.rule is not None:
        return f"{hook.verdict} by {_rule(hook.rule)}"
    if hook.by == "policy":
        return f"{hook.verdict} by policy {hook.policy}"
    if hook.by == "off":
        return "pass, since filtering is off"
    if hook.by == "passing":
        return "pass: this attachment lets everything through at the moment"
    if hook.by == "not-run":
        return "not known"
    return "pass: it could not be judged"


def _rule(rule: ExplainedRule) -> str:
    name = f" {rule.id}" if rule.id is not None else ""
    return f"rule {rule.position}{name}: {rule.text}"
