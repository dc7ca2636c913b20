"""Rules as they are read back: with sentence, position and counters."""

from __future__ import annotations

from typing import Literal

from xdpwall.values.terms import Direction

from .base import View
from .pending import PendingView


class RateView(View):
    """The rate of a rule with `limit` or `over`."""

    rate: str
    """Packets or, with a unit, bytes in a time: `6/m`, `10MB/s`."""
    burst: int | str
    per: str | None = None
    """`src`: each source has a bucket of its own; absent: the rule has one."""


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
    state: str | None = None
    limit: RateView | None = None
    over: RateView | None = None
    keep: bool = False
    cookie: bool = False
    expires: str | None = None
    enabled: bool = True
    log: bool = False
    comment: str | None = None
    text: str
    position: int
    packets: int = 0
    bytes: int = 0
    limited: int | None = None
    """Packets that only the rule's rate kept from matching; absent: it has no rate."""
    answered: int | None = None
    """SYNs that were answered at XDP, of `packets`; absent: it has no `cookie`."""
    last_hit: str | None = None
    created: str
    expired: bool = False


class RuleList(View):
    """GET /rules."""

    revision: int
    rules: list[RuleView]


class RuleCount(View):
    """One rule's counters in GET /stats."""

    id: str
    packets: int
    bytes: int
    limited: int | None = None
    answered: int | None = None


class RuleOutcome(View):
    """The answer to a change of rules."""

    revision: int
    rules: list[RuleView]
    warnings: list[str] = []
    pending: PendingView | None = None


class DeleteOutcome(View):
    """The answer to a deletion."""

    revision: int
    deleted: list[str]
    warnings: list[str] = []
    pending: PendingView | None = None
