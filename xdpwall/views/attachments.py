"""Attachments and interfaces as they are read back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xdpwall.values.terms import Direction, Hook, Mode, Place, WantedMode

from .base import Count, View
from .pending import PendingView

PlaceState = Literal["attached", "no interface", "displaced", "moved"]
"""displaced: the interface is there and our program is not on it. moved: the interface is in another
network namespace, and our program judges there."""


class Totals(View):
    """One attachment's totals; seen = passed + dropped; the others are parts of those two."""

    seen: Count = Field(default_factory=Count)
    passed: Count = Field(default_factory=Count)
    dropped: Count = Field(default_factory=Count)
    policy_dropped: Count = Field(default_factory=Count)
    malformed: Count = Field(default_factory=Count)
    errors: Count = Field(default_factory=Count)


class OpenSpell(View):
    """A stretch of time in which an interface was there without our program, as the service saw it."""

    since: str
    seconds: float
    """From when the kernel told of the interface until its packets were judged."""
    why: str
    """"it was recreated", "it appeared", "someone took our program off"."""

    def words(self, what: str) -> str:
        """ "eth1 xdp was not filtered since 2026-11-21T12:04:11Z: it was recreated; attached 38 ms later"."""
        later = f"{self.seconds * 1000:.0f} ms" if self.seconds < 1 else f"{self.seconds:.1f} s"
        return f"{what} was not filtered since {self.since}: {self.why}; attached {later} later"


class AttachmentView(View):
    """One program of ours on one interface."""

    iface: str
    index: int
    """0: the interface is not there."""
    hook: Hook
    direction: Direction
    place: Place
    wanted_mode: WantedMode | None = None
    """XDP only: the mode asked for."""
    mode: Mode | None = None
    """XDP only: the mode that the kernel reports."""
    program_id: int | None = None
    number: int
    """The attachment's number in the kernel's totals."""
    since: str
    state: PlaceState = "attached"
    whereabouts: str | None = None
    """Where our program judges instead, when `state` is "moved": "veth0 in network namespace box"."""
    called: str | None = None
    """The interface's name now, where it was renamed: its packets are judged as those of `iface` until it
    is attached by the new one."""
    behind: str | None = None
    """What lies behind the interface by the engine's names: "container web (nginx:1)", "network backend"."""
    sees: list[str] = []
    """In words, what passes this attachment: "from containers", "everything in", ..., or "incoming
    packets that u32 at pref 1 does not let by"."""
    blind: list[str] = []
    """In words, what it cannot see, and which attachment would."""
    unseen: int = 0
    """Packets that the interface has received since this attachment judged its last one, once it is
    certain that it is not run; `sees` is empty then."""
    last_open: OpenSpell | None = None
    """When its packets passed unjudged last, since the service began."""
    totals: Totals = Field(default_factory=Totals)


class WaitingView(View):
    """An interface that is wanted and not attached."""

    iface: str
    why: str
    """In words, as the kernel or the driver has it."""
    attachable: bool = True
    """False where no program of ours can filter it: it has no Ethernet header, or is a VRF."""


class WantedView(View):
    """An attachment by policy: wanted until it is detached, in place wherever an interface matches."""

    iface: str
    """`veth*`, `ports:docker0`, or a name that need not exist yet."""
    hook: Hook
    direction: Direction
    place: Place
    wanted_mode: WantedMode | None = None
    """XDP only."""
    hold: bool = False
    """Whether the service puts a program back that somebody took off."""
    since: str
    in_place: list[str] = []
    """The interfaces that match and are filtered at this moment, as the kernel tells it."""
    waiting: list[WaitingView] = []
    """The interfaces that match and are not."""
    why_none: str | None = None
    """Why no interface matches at the moment, where none does."""


class Occupant(View):
    """Somebody else's program on an interface, or the filters of one pref of a tc hook."""

    place: Place | Literal["tcx-ingress", "tcx-egress"]
    mode: Mode | None = None
    kind: str | None = None
    """Of a tc filter: bpf, u32, matchall, flower, ..."""
    pref: int | None = None
    """Of a tc filter: the lowest runs first."""
    chain: int | None = None
    """Of a tc filter: packets begin in chain 0."""
    program_id: int | None = None
    """None for a tc filter that is no eBPF program."""
    name: str | None = None
    owner: str | None = None
    """In words, of an XDP program, whose it is as far as can be known: "pinned at /sys/fs/bpf/x, held by
    process 7 (loader)", "libxdp's dispatcher, which runs ..."."""
    bypasses_us: bool = False
    """True for what runs before ours at its hook and may let packets pass, which ours never sees."""

    @property
    def words(self) -> str:
        """Name it for a message: "u32 at pref 1", "bpf at pref 2 (program 7, name)"."""
        called = ", ".join(
            [*([f"program {self.program_id}"] if self.program_id else []), self.name or "no name"]
        )
        if self.pref is None:
            return f"{self.place.split('-')[0]} {called}"
        where = f"{self.kind} at pref {self.pref}" + (f" of chain {self.chain}" * bool(self.chain))
        return where if self.program_id is None else f"{where} ({called})"


class InterfaceView(View):
    """One network interface of the instance's namespace."""

    name: str
    index: int
    state: str
    """operstate: up, down, unknown, ..."""
    kind: str | None = None
    """veth, bridge, dummy, vlan, ... ; None for a physical one."""
    driver: str | None = None
    link_type: str
    """ether, loopback, none, ..."""
    mtu: int
    address: str | None = None
    master: str | None = None
    behind: str | None = None
    """As an attachment's."""
    attachments: list[AttachmentView] = []
    others: list[Occupant] = []
    attachable: bool
    why_not: str | None = None
    wanted: list[str] = []
    """ "veth* xdp": the attachments by policy that want it."""
    waiting: dict[str, str] = {}
    """By place: why an attachment that is wanted by policy is not in place."""
    suggestions: list[str] = []
    """In words: the attachment that would cover what those in place do not see."""


class InterfaceList(View):
    """GET /interfaces."""

    interfaces: list[InterfaceView]


class AttachmentTotals(View):
    """One attachment's totals in GET /stats."""

    iface: str
    place: Place
    totals: Totals


class AttachOutcome(View):
    """The answer to attach."""

    attachment: AttachmentView
    changed: bool
    """False when it already was so."""
    why_generic: str | None = None
    """Why mode auto took generic: a clause, "native was refused: ..."."""
    warnings: list[str] = []
    pending: PendingView | None = None


class WantOutcome(View):
    """The answer to attach, of `veth*`, `ports:docker0`, or a name that need not exist yet."""

    wanted: WantedView
    attached: list[str] = []
    """"veth1 xdp", of each interface that was attached now."""
    changed: bool
    """False when it already was so."""
    warnings: list[str] = []


class DetachOutcome(View):
    """The answer to detach."""

    detached: list[str]
    """"docker0 xdp", "eth1 tc-ingress", ..."""
    warnings: list[str] = []
    """What is detached and could not be recorded; interfaces of which one direction is left, where flows are in use."""
    pending: PendingView | None = None
