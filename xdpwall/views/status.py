"""Answers about the whole instance: status, counters, policy, switch, apply, restore, health."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xdpwall.ruleset.policy import Policy

from .attachments import AttachmentTotals, AttachmentView, InterfaceView, WantedView
from .base import View
from .flows import FlowFill
from .pending import PendingView
from .rules import RuleCount

"""A warning of `status` and `restore`."""


class KernelView(View):
    """What the kernel judges by, where that is not what the state folder holds."""

    revision: int
    policy: Policy


class Status(View):
    """`xdpwall status`, and the head of the page."""

    version: str
    host: str
    revision: int
    on: bool
    rules: int | None = None
    enabled_rules: int | None = None
    """Absent, as `rules`, where the state folder cannot be read: what is told is the kernel's then."""
    policy: Policy | None = None
    """Absent where neither the state folder nor the maps can be read."""
    flows: FlowFill | None = None
    """Absent where nothing is tracked."""
    attachments: list[AttachmentView]
    wanted: list[WantedView] = []
    """Attachments by policy; what they have attached is in `attachments`."""
    others: list[InterfaceView] = []
    """Interfaces with programs of other owners."""
    warnings: list[str] = []
    state_dir: str
    bpffs: str
    netns: int
    service: bool = False
    pending: PendingView | None = None
    kernel: KernelView | None = None
    """Absent where the kernel holds the state folder's ruleset, or nothing; `revision`, `rules` and
    `policy` are the state folder's."""


class Stats(View):
    """GET /stats: every counter at one moment. Rates are the reader's: divide by `time`."""

    revision: int
    on: bool
    time: Annotated[float, Field(description="seconds, monotonic clock of the host")]
    rules: list[RuleCount]
    attachments: list[AttachmentTotals]


class PolicyOutcome(View):
    """The answer to a change of policy; with dry_run nothing was changed."""

    revision: int
    dry_run: bool = False
    policy: Policy
    pending: PendingView | None = None
    missing_rules: list[str] = []
    """Sentences of rules without which a drop policy ends what this host does now, in the order in which
    they are to be put behind those that are there; at most 100."""
    missing_policy: dict[str, str] = {}
    """What the policy is to say besides, so that these rules are enough: {"egress": "accept keep"}."""
    added_rules: list[str] = []
    """Sentences of the rules that came with the change (`add_missing`)."""
    warnings: list[str] = []


class SwitchOutcome(View):
    """The answer to on and off."""

    on: bool
    changed: bool
    warnings: list[str] = []
    """What is in force and could not be recorded."""


class ProgramNeed(View):
    """A program that a change would load, as the kernel took it on trial."""

    attachment: str
    """"docker0 xdp" """
    instructions: int
    bytes: int


class ApplyNeeds(View):
    """What a dry run found that a change takes; all of it was tried, and let go again."""

    map_bytes: int
    """Of all maps afterwards."""
    map_bytes_now: int
    programs: list[ProgramNeed] = []
    """Those to be loaded; none where the ones in place do."""


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
    timeouts_changed: bool = False
    sets_added: list[str] = []
    sets_replaced: list[str] = []
    """Sets whose entries are others now."""
    sets_removed: list[str] = []
    adopted: bool = False
    """It took the place of a ruleset that the state folder did not know; the other fields compare it
    with the state folder's."""
    attached: list[str] = []
    detached: list[str] = []
    pending: PendingView | None = None
    missing_rules: list[str] = []
    """As in PolicyOutcome, where the policy changes."""
    missing_policy: dict[str, str] = {}
    """As in PolicyOutcome."""
    needs: ApplyNeeds | None = None
    """With dry_run alone."""
    warnings: list[str] = []


class RestoreOutcome(View):
    """The answer to restore: what was put back and what could not be."""

    revision: int
    rules: int
    attached: list[str] = []
    already: list[str] = []
    failed: list[str] = []
    """"eth1 xdp: ...", one entry each, of interfaces that are there."""
    waiting: list[str] = []
    """Wanted, and without an interface at the moment: no failure, it is attached when one comes."""
    warnings: list[str] = []


class RepairOutcome(View):
    """The answer to repair."""

    repaired: bool
    """False where there was nothing to do."""
    revision: int
    rules: int
    kept: str | None = None
    """Where the damaged file is now."""
    warnings: list[str] = []
    """What was lost, and where the kernel holds another revision."""


class Health(View):
    """GET /healthz; needs no token and tells no secrets."""

    status: Literal["ok", "degraded"]
    version: str
    revision: int
    state_dir_id: str
    """A digest that names the instance, so that a client knows whom it talks to."""
    netns: int
    problems: list[str] = []
