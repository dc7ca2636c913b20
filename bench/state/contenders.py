"""What is timed: a filter at the far end of a veth, behind which every packet is dropped that passes."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.packets.stream import Sender, Veth, add_veth, sender
from bench.packets.test_run import WrongVerdict
from bench.packets.wire import run_with_input
from bench.state.frames import HERE, PORT, answering, asking
from tests.support.kernel.dataplane import KernelBench
from tests.support.net.netns import Lab, Namespace
from xdpwall.dataplane.flow_table import FlowTable
from xdpwall.kernel.net.xdp import xdp_attach
from xdpwall.ruleset.policy import Policy

MOST_SENT = 1 << 17
"""Packets of one measurement: no flow comes twice where each is to be new."""
TIMES_SENT = 4
"""How often each flow comes where flows are established: its first packet in a second costs more, as that
moves its deadline."""
END = "table inet end { chain c { type filter hook prerouting priority 300; policy drop;\n}\n}\n"


@dataclass
class Row:
    """One thing timed. `base`: the row that its difference is taken to."""

    name: str
    base: str | None
    sends: Callable[[], int]
    """Send the stream once; ns a packet."""
    times: list[int] = field(default_factory=list)
    ready: Callable[[], object] = lambda: None
    """Called before the first round: flows that were begun while others were made may be over."""


class Contenders:
    """Rows in the order in which they are timed; valid while the stack is open."""

    def __init__(self, stack: ExitStack, lab: Lab, driver: Path) -> None:
        self.rows: list[Row] = []
        self._stack, self._lab, self._driver = stack, lab, driver
        self._from = lab.namespace("sends")
        self._streams: dict[Sequence[bytes], Sender] = {}
        self._number = 0

    def ours(
        self,
        name: str,
        base: str | None,
        rules: Sequence[str],
        frames: Sequence[bytes],
        *,
        flows: int = 0,
        anew: bool = False,
        drops: bool = False,
    ) -> None:
        """Add xdpwall at XDP, native. `flows`: so many were begun by their other end; `anew`: the table is
        empty before each measurement; `drops`: what becomes of the packets, else WrongVerdict."""
        veth = self._veth()
        bench = self._stack.enter_context(KernelBench(self._lab.bpffs / f"state{self._number}"))
        bench.load(rules, Policy(ingress="drop", egress="accept keep" if flows else "accept"))
        with veth.space.inside():
            number = veth.space.index(veth.far)
            xdp_attach(number, bench.program("xdp").fileno(), "native", if_noexist=False)

        def begin() -> None:
            for frame in answering(flows) if flows else ():
                assert not bench.run("tc-egress", frame)

        begin()
        if any(bench.run("xdp", frames[0]) != drops for _ in range(6)):
            raise WrongVerdict(f"{name}: {'passes' if drops else 'drops'} {frames[0].hex()}")
        table = FlowTable(bench.dataplane.map_set.maps) if anew else None
        self._add(
            name, base, veth, frames, flows=flows, before=lambda: table and table.flush("ipv4")
        )
        self.rows[-1].ready = begin

    def nft(
        self, name: str, base: str | None, text: str, frames: Sequence[bytes], *, flows: int = 0
    ) -> None:
        """Add a ruleset of nftables; `{far}` in it is the interface."""
        veth = self._veth(end=False)
        if flows:
            self._track(veth, flows)
        run_with_input(veth.space, text.replace("{far}", veth.far) + END, "nft", "-f", "-")
        self._add(name, base, veth, frames, flows=flows)
        listed = partial(veth.space.run, "nft", "list", "ruleset")
        self._check(name, lambda: sum(map(int, re.findall(r"counter packets (\d+) ", listed()))))

    def iptables(
        self, name: str, base: str | None, lines: str, frames: Sequence[bytes], *, flows: int = 0
    ) -> None:
        """Add rules of iptables' mangle table, PREROUTING."""
        veth = self._veth(end=False)
        if flows:
            self._track(veth, flows)
        text = f"*mangle\n{lines}\nCOMMIT\n"
        run_with_input(veth.space, text, "iptables-nft-restore")
        run_with_input(veth.space, END, "nft", "-f", "-")
        self._add(name, base, veth, frames, flows=flows)
        listed = partial(veth.space.run, "iptables-nft", "-t", "mangle", "-nvxL", "PREROUTING")
        find = partial(re.findall, r"^\s*(\d+)\s+\d+ ACCEPT", flags=re.MULTILINE)
        self._check(name, lambda: sum(map(int, find(listed()))))

    def _check(self, name: str, counted: Callable[[], int]) -> None:
        """The rule of the row that was added last counts what is sent; else WrongVerdict."""
        self.rows[-1].sends()  # until what bursts let through is gone
        before = counted()
        self.rows[-1].sends()
        if counted() - before < 0.99 * MOST_SENT:
            raise WrongVerdict(f"{name}: counted {counted() - before} of {MOST_SENT} packets")

    def _veth(self, *, end: bool = True) -> Veth:
        self._number += 1
        space = self._lab.namespace(f"s{self._number}")
        veth = add_veth(self._from, space, f"s{self._number}")
        if end:
            run_with_input(space, END, "nft", "-f", "-")
        return veth

    def _track(self, veth: Veth, flows: int) -> None:
        """Let nf_conntrack see both directions of so many flows; it remembers what a socket got."""
        space: Namespace = veth.space
        space.ip(f"addr add {HERE}/8 dev {veth.far}")
        run_with_input(
            space,
            "table inet seen { chain c { type filter hook prerouting priority 0; ct state new\n}\n}\n",
            "nft",
            "-f",
            "-",
        )
        with space.inside():
            heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with heard:
            heard.bind((HERE, PORT))
            self._stream(asking(flows)).run(veth.sends, veth.near, flows)
        self._stream(answering(flows)).run(veth.sends, veth.near, flows)
        space.run("nft", "delete", "table", "inet", "seen")

    def _stream(self, frames: Sequence[bytes]) -> Sender:
        if frames not in self._streams:
            self._streams[frames] = self._stack.enter_context(sender(self._driver, frames))
        return self._streams[frames]

    def _add(
        self,
        name: str,
        base: str | None,
        veth: Veth,
        frames: Sequence[bytes],
        *,
        before: Callable[[], object] = lambda: None,
        flows: int = 0,
    ) -> None:
        by, count = self._stream(frames), MOST_SENT * (TIMES_SENT if flows else 1)

        def sends() -> int:
            before()
            return by.run(veth.sends, veth.near, count)

        self.rows.append(Row(name, base, sends))
