"""The Python mirror of bpf/abi.h: limits, struct layouts, the control word.

tests/packets/test_abi.py compares every dtype and constant here with the object's BTF.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

import numpy as np

from . import limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOTS = limits.SLOTS
ATTACHMENTS = limits.ATTACHMENTS
MEMBERS = limits.MEMBERS
UNLISTED = limits.UNLISTED
NUMBERS = limits.NUMBERS
NUMBER_MASK = 4095
SHARED = limits.SHARED
LENGTHS = 65576
BYTE_HIDDEN = 256
ICMP_HIDDEN = 65536
LENGTH_HIDDEN = LENGTHS
VLAN_NONE = 4096
VLAN_HIDDEN = 4097
BLOCK = 0x80000000
LEAF = 0x40000000
CHAIN = 4
RULE_SLOT = 0x7FFF
RULE_ACTION = 16
RULE_LIMIT = 0x10000000
RULE_OVER = 0x20000000
"""In a rule's action, as RULE_LOG: it has a rate."""
RULE_STATE = 0xF80000
RULE_STATE_BIT = 19
RULE_KEEP = 0x1000000
RULE_COOKIE = 0x2000000
RULE_EXPIRES = 0x40000000
RULE_LOG = 0x80000000
"""In a rule's action: packets that match are reported."""
RATED_RULES = 1024
"""Enabled rules with a rate."""
RATE_LINES = 1 << 16
"""Lines of four sources: 262,144 of them in 4.2 MB."""
TICK_SHIFT = 30
EVENT_BYTES = 256
EVENT_LIMITS = 1024
TAPS = 4
TAP_ANY = 0xFFFFFFFF

STATES = 8
FLOW_BUCKET = 16
FLOW_PLACES = 1 << 18
"""Places of a family in the flow table, unless set."""

MAX_POSITIONS = 16384
MIN_POSITIONS = 64
PACKED_POSITIONS = 2048
"""Rows are packed from so many positions on; below, they are hardly longer than packed ones."""
MAX_WHOLE = 65536
"""Whole rows: a packed one has 16 bits for the number of its own."""
CONTROL_MUTES, CONTROL_DEADLINES = limits.CONTROL_MUTES, limits.CONTROL_DEADLINES
CONTROL_PASSING, NUMBER_WORDS = limits.CONTROL_PASSING, limits.NUMBER_WORDS
CONTROL_PROGRAMS, CONTROL_WORDS = limits.CONTROL_PROGRAMS, limits.CONTROL_WORDS
CLASSES = 65536
PATTERNS = 4
AGGREGATES = 4
PATCHES = 6
CLASS_STEPS = 8
MAX_SET4 = 1 << 25
"""IPv4 addresses of all sets together: two full sets, one of which takes the other's place. With more,
some would be 512 MiB into their map's one element, farther than the verifier lets a program reach."""
OCCUPIED_BITS = 24
OCCUPIED_WORDS = 1 << (OCCUPIED_BITS - 6)
HASH_FACTOR = 0x9E3779B97F4A7C15
SET_PREFIXES = 1 << 24
"""Prefixes of one family that all sets together may hold: a limit, no memory is taken for it."""


class Action(IntEnum):
    """enum xw_action."""

    COUNT = 0
    ACCEPT = 1
    DROP = 2


class Feature(IntFlag):
    """enum xw_feature: the parts of the classifier that a generation uses and a program contains."""

    ATTACHMENT = 1 << 0
    SIZE = 1 << 1
    SRC = 1 << 2
    DST = 1 << 3
    SPORT = 1 << 4
    DPORT = 1 << 5
    TRIES = 1 << 6
    SRC_SET = 1 << 7
    DST_SET = 1 << 8
    NEGATED_SET = 1 << 9
    TIMED_SET = 1 << 10
    RULES = 1 << 11
    COUNTING = 1 << 12
    EXPIRING = 1 << 13
    RATES = 1 << 16
    FLOWS = 1 << 17
    COOKIES = 1 << 18


SRC6_TRIE, DST6_TRIE = 1, 2
"""Bits of TABLES' `tries`."""


class PolicyBit(IntFlag):
    """enum xw_policy."""

    DROP_INGRESS = 1
    DROP_EGRESS = 2
    DROP_NON_IP = 4
    DROP_ND = 8
    KEEP_INGRESS = 16
    KEEP_EGRESS = 32


FRAGMENT_CLASSES = ("none", "first", "later", "hidden")
"""enum xw_fragment, in order."""

TABLES = np.dtype(
    [
        ("policy", "<u4"),
        ("tries", "<u4"),
        ("fragment_stride", "<u4"),
        ("size_row", "<u4"),
        ("sport_row", "<u4"),
        ("dport_row", "<u4"),
        ("ether_row", "<u4"),
        ("llc_row", "<u4"),
        ("opaque_row", "<u4"),
        ("src6_row", "<u4"),
        ("dst6_row", "<u4"),
        ("src_hidden", "<u4"),
        ("dst_hidden", "<u4"),
        ("sport_hidden", "<u4"),
        ("dport_hidden", "<u4"),
        ("src_unlisted", "<u4"),
        ("dst_unlisted", "<u4"),
        ("src_negated", "<u4"),
        ("dst_negated", "<u4"),
        ("attachment", "<u4", (NUMBER_MASK + 1,)),
        ("state", "<u4", (STATES,)),
        ("proto4", "<u4", (BYTE_HIDDEN + 1,)),
        ("proto6", "<u4", (BYTE_HIDDEN + 1,)),
        ("flags", "<u2", (BYTE_HIDDEN + 1,)),
        ("ttl", "<u2", (BYTE_HIDDEN + 1,)),
        ("vlan", "<u2", (VLAN_HIDDEN + 1,)),
        ("icmp4", "<u2", (ICMP_HIDDEN + 2,)),
        ("icmp6", "<u2", (ICMP_HIDDEN + 2,)),
        ("length", "<u2", (LENGTHS + 2,)),
        ("ether", "<u2", (65536,)),
        ("sport", "<u2", (65536,)),
        ("dport", "<u2", (65536,)),
        ("src4", "<u4", (65536,)),
        ("dst4", "<u4", (65536,)),
        ("src6", "<u4", (65536,)),
        ("dst6", "<u4", (65536,)),
    ]
)
"""struct xw_tables."""

RULE = np.dtype([("slot", "<u4"), ("action", "<u4"), ("expires", "<u8")])
"""A rule as the compiler has it; kernel_rules() makes what the kernel gets."""

COUNT = np.dtype([("packets", "<u8"), ("bytes", "<u8")])
"""struct xw_count."""

TOTALS = np.dtype(
    [
        ("passed", COUNT),
        ("dropped", COUNT),
        ("policy_dropped", COUNT),
        ("malformed", COUNT),
        ("errors", COUNT),
    ]
)
"""struct xw_totals."""

LEAVES = np.dtype(
    [("address", "u1", (16,)), ("mask", "u1", (16,)), ("inside", "<u4"), ("outside", "<u4")]
)
"""struct xw_leaf."""

ROW = np.dtype(
    [
        ("segments", "<u8", (PATTERNS,)),
        ("aggregates", "<u8", (AGGREGATES,)),
        ("which", "u1", (PATCHES,)),
        ("whole", "<u2"),
        ("patch", "<u8", (PATCHES,)),
        ("pad", "<u8"),
    ]
)
"""struct xw_row."""

LEAVES4 = np.dtype([("address", "<u4"), ("mask", "<u4"), ("inside", "<u4"), ("outside", "<u4")])
"""struct xw_leaf4."""

PREFIX4 = np.dtype([("bits", "<u4"), ("address", "u1", (4,))])
"""struct xw_prefix4."""

PREFIX6 = np.dtype([("bits", "<u4"), ("address", "u1", (16,))])
"""struct xw_prefix6."""

SET_PREFIX = np.dtype([("class", "<u4"), ("own", "<u4")])
"""struct xw_set_prefix."""

CLASS = np.dtype([("expires", "<u8"), ("after", "<u4"), ("pad", "<u4")])
"""struct xw_class."""

CLASS_ROWS = np.dtype([("src", "<u4"), ("dst", "<u4")])
"""struct xw_class_rows."""

OCCUPIED = np.dtype(
    [
        ("p4", "<u8", (OCCUPIED_WORDS,)),
        ("v6", "<u8", (OCCUPIED_WORDS,)),
        ("p6", "<u8", (OCCUPIED_WORDS,)),
        ("kinds", "<u8"),
    ]
)
"""The map `occupied`, whole: enum xw_occupied."""
SHORT6 = 3
"""The bit of `kinds` behind those of the bitmaps, in their order: some IPv6 prefix is under a /16."""

BUCKET = 8
BUCKET_GONE = 1 << 63
BUCKET_REST = 48
"""struct xw_bucket: words, the mark of one whose address was taken out, and from which bit on the last
word says how many addresses had no room, 15 bits."""


EVENT_SETTINGS = np.dtype(
    [
        ("log_drops", "<u4"),
        ("chance", "<u4"),
        ("rate", "<u4"),
        ("second", "<u4"),
        ("bytes", "<u4"),
        ("enabled", "<u4"),
        ("tapped", "<u4"),
    ]
)
"""struct xw_event_settings."""

TAP = np.dtype(
    [
        ("lost", "<u8"),
        ("in_use", "<u4"),
        ("kinds", "<u4"),
        ("proto", "<u4"),
        ("dport", "<u4"),
        ("src", "<u4", (4,)),
        ("src_mask", "<u4", (4,)),
        ("dst", "<u4", (4,)),
        ("dst_mask", "<u4", (4,)),
    ]
)
"""struct xw_tap."""

EVENT_COUNTS = np.dtype([("sent", "<u8"), ("lost", "<u8"), ("sampled", "<u8")])
"""struct xw_event_counts."""

EVENT_LIMIT = np.dtype([("start", "<u4"), ("sent", "<u4"), ("limited", "<u8")])
"""struct xw_event_limit."""

EVENT = np.dtype(
    [
        ("time", "<u8"),
        ("revision", "<u8"),
        ("number", "<u4"),
        ("slot", "<u4"),
        ("log", "<u4"),
        ("packets", "<u4"),
        ("bytes", "<u4"),
        ("length", "<u4"),
        ("icmp", "<u4"),
        ("src", "u1", (16,)),
        ("dst", "u1", (16,)),
        ("sport", "<u2"),
        ("dport", "<u2"),
        ("proto", "<u2"),
        ("flags", "<u2"),
        ("ttl", "<u2"),
        ("vlan", "<u2"),
        ("ethertype", "<u2"),
        ("captured", "<u2"),
        ("kind", "u1"),
        ("fragment", "u1"),
        ("ports", "u1"),
        ("addresses_hidden", "u1"),
        ("malformed", "u1"),
        ("decision", "u1"),
        ("state", "u1"),
        ("pad", "u1", (5,)),
        ("data", "u1", (EVENT_BYTES,)),
    ]
)
"""struct xw_event; a record ends after the bytes that were captured."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control word: what every packet reads once."""

    copy: int
    on: bool
    revision: int
    events: bool = False
    """Some packets are reported."""
    muted: bool = False
    """Some attachments are muted."""
    pending: bool = False
    """The change in `copy` waits for its confirmation; past the deadline `fallback` is in force."""
    fallback: int = 0
    """0 while nothing is pending."""

    @classmethod
    def unpack(cls, word: int) -> Control:
        """From the u64."""
        return cls(
            copy=word & 1,
            on=not word & limits.CONTROL_OFF,
            revision=word >> 8,
            events=bool(word & 4),
            muted=bool(word & 8),
            pending=bool(word & 16),
            fallback=word >> 5 & 1,
        )

    def pack(self) -> int:
        """The u64."""
        flags = (
            (0 if self.on else limits.CONTROL_OFF)
            | (4 if self.events else 0)
            | (8 if self.muted else 0)
            | (16 if self.pending else 0)
            | self.fallback << 5
        )
        return self.copy | flags | self.revision << 8

    def reverted(self) -> Control:
        """The word once the pending change is over and its fallback in force."""
        return replace(
            self, copy=self.fallback, revision=self.revision - 1, pending=False, fallback=0
        )


def kernel_rules(rules: NDArray[Any]) -> NDArray[Any]:
    """XW_RULE_..., u32, of RULEs."""
    expires = np.where(rules["expires"] > 0, np.uint32(RULE_EXPIRES), np.uint32(0))
    action = (rules["action"] & np.uint32(3)) << np.uint32(RULE_ACTION)  # the rest are flags
    answer: NDArray[Any] = rules["slot"] | action | rules["action"] & ~np.uint32(3) | expires
    return answer
