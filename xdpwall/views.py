"""What is read back: the shapes that the CLI prints, the API answers and the page draws.

One definition for all three, so that `-o json` and the REST answers cannot drift apart. Every
model is frozen; absent means unknown or not applicable and is left out of JSON.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Hook = Literal["xdp", "tc"]
Direction = Literal["ingress", "egress"]
Mode = Literal["native", "generic"]
WantedMode = Literal["auto", "native", "generic"]
Verdict = Literal["accept", "drop"]
Place = Literal["xdp", "tc-ingress", "tc-egress"]
"""An attachment's key within one interface: hook and direction in one word."""


class View(BaseModel):
    """Base of everything read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def to_json(self) -> dict[str, Any]:
        """The JSON object: absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)


class Count(View):
    """Packets, and bytes as design says: from the Ethernet header, without FCS."""

    packets: int = 0
    bytes: int = 0


class RuleView(View):
    """A rule as read back: the canonical fields, its sentence and its counters."""

    id: str
    action: Literal["drop", "accept", "count"]
    iface: str | None = None
    direction: Direction | None = None
    ethertype: str | None = None
    family: Literal["ipv4", "ipv6"] | None = None
    proto: str | int | None = None
    src: str | None = None
    dst: str | None = None
    sport: str | None = None
    dport: str | None = None
    icmp_type: str | int | None = None
    icmp_code: int | str | None = None
    tcp_flags: str | None = None
    vlan: int | str | None = None
    length: int | str | None = None
    ttl: int | str | None = None
    fragment: bool | str | None = None
    expires: str | None = None
    enabled: bool = True
    log: bool = False
    comment: str | None = None
    text: str
    position: int
    packets: int = 0
    bytes: int = 0
    last_hit: str | None = None
    created: str
    expired: bool = False


class RuleList(View):
    """GET /rules."""

    revision: int
    rules: list[RuleView]


class Totals(View):
    """One attachment's totals; seen = passed + dropped; the others are parts of those two."""

    seen: Count = Field(default_factory=Count)
    passed: Count = Field(default_factory=Count)
    dropped: Count = Field(default_factory=Count)
    policy_dropped: Count = Field(default_factory=Count)
    malformed: Count = Field(default_factory=Count)
    errors: Count = Field(default_factory=Count)


class AttachmentView(View):
    """One program of ours on one interface."""

    iface: str
    index: int
    hook: Hook
    direction: Direction
    place: Place
    wanted_mode: WantedMode | None = None
    """XDP only: what was asked for."""
    mode: Mode | None = None
    """XDP only: what the kernel says it is."""
    program_id: int | None = None
    number: int
    """The attachment's number in the kernel's totals."""
    since: str
    state: Literal["attached", "no interface", "displaced"] = "attached"
    sees: list[str] = []
    """In words, what passes this attachment: "from containers", "everything in", ..."""
    blind: list[str] = []
    """In words, what it cannot see, and which attachment would."""
    totals: Totals = Field(default_factory=Totals)


class Occupant(View):
    """Somebody else's program on an interface."""

    place: Place | Literal["tcx-ingress", "tcx-egress"]
    mode: Mode | None = None
    program_id: int
    name: str | None = None
    bypasses_us: bool = False
    """True for a tcx program: it runs before ours and may end the walk."""


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
    attachments: list[AttachmentView] = []
    others: list[Occupant] = []
    attachable: bool
    why_not: str | None = None
    suggestions: list[str] = []
    """In words: the attachment that would cover what those in place do not see."""


class InterfaceList(View):
    """GET /interfaces."""

    interfaces: list[InterfaceView]


class Policy(View):
    """What happens to packets that no rule decides. Also part of a ruleset file."""

    ingress: Verdict = "accept"
    egress: Verdict = "accept"
    non_ip: Verdict = "accept"
    neighbor_discovery: Literal["accept", "judge"] = "accept"


class Status(View):
    """`xdpwall status`, and the head of the page."""

    version: str
    host: str
    revision: int
    on: bool
    rules: int
    enabled_rules: int
    policy: Policy
    attachments: list[AttachmentView]
    others: list[InterfaceView] = []
    """Interfaces on which somebody else's program may matter to us."""
    warnings: list[str] = []
    state_dir: str
    bpffs: str
    netns: int
    service: bool = False


class RuleCount(View):
    """One rule's counters in GET /stats."""

    id: str
    packets: int
    bytes: int


class AttachmentTotals(View):
    """One attachment's totals in GET /stats."""

    iface: str
    place: Place
    totals: Totals


class Stats(View):
    """GET /stats: every counter at one moment. Rates are the reader's: divide by `time`."""

    revision: int
    on: bool
    time: Annotated[float, Field(description="seconds, monotonic clock of the host")]
    rules: list[RuleCount]
    attachments: list[AttachmentTotals]


class RuleOutcome(View):
    """The answer to a change of rules."""

    revision: int
    rules: list[RuleView]
    warnings: list[str] = []


class DeleteOutcome(View):
    """The answer to a deletion."""

    revision: int
    deleted: list[str]


class AttachOutcome(View):
    """The answer to attach."""

    attachment: AttachmentView
    changed: bool
    """False when it already was so."""
    warnings: list[str] = []


class DetachOutcome(View):
    """The answer to detach."""

    detached: list[str]
    """"docker0 xdp", "eth1 tc-ingress", ..."""


class PolicyOutcome(View):
    """The answer to a change of policy."""

    revision: int
    policy: Policy
    warnings: list[str] = []


class SwitchOutcome(View):
    """The answer to on and off."""

    on: bool
    changed: bool


class ApplyOutcome(View):
    """The answer to apply and PUT /ruleset; with dry_run nothing was changed."""

    revision: int
    dry_run: bool = False
    added: list[str] = []
    removed: list[str] = []
    changed: list[str] = []
    moved: list[str] = []
    kept: int = 0
    policy_changed: bool = False
    sets_added: list[str] = []
    sets_replaced: list[str] = []
    """Sets whose entries are others now."""
    sets_removed: list[str] = []
    attached: list[str] = []
    detached: list[str] = []
    warnings: list[str] = []


class RestoreOutcome(View):
    """The answer to restore: what was put back and what could not be."""

    revision: int
    rules: int
    attached: list[str] = []
    already: list[str] = []
    failed: list[str] = []
    """"eth1 xdp: no such interface", one entry each."""
    warnings: list[str] = []


class Health(View):
    """GET /healthz; needs no token and tells no secrets."""

    status: Literal["ok", "degraded"]
    version: str
    revision: int
    state_dir_id: str
    """A digest that names the instance, so that a client knows whom it talks to."""
    netns: int
    problems: list[str] = []


class Check(View):
    """One line of doctor."""

    name: str
    status: Literal["pass", "warn", "fail"]
    found: str
    todo: str | None = None


class DoctorReport(View):
    """`xdpwall doctor`."""

    checks: list[Check]

    @property
    def worst(self) -> Literal["pass", "warn", "fail"]:
        """The worst status among the checks."""
        seen = {c.status for c in self.checks}
        return "fail" if "fail" in seen else "warn" if "warn" in seen else "pass"
