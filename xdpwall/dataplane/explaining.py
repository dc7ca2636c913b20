"""Programs that explain: test-runs on the instance's maps that count, report and keep nothing.

They are the classifier's own code, compiled for it (bpf/explain.h), and never attached. One serves
every attachment of its hook, and both copies: also the idle one that was written and not switched to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from xdpwall import abi
from xdpwall.closing import Closing
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import LoadedObject, load_object, object_path

from .map_set import MapSet

FIRST_FRAGMENT = np.dtype(
    [
        ("seen", "<u8"),
        ("icmp", "<u4"),
        ("proto", "<u2"),
        ("flags", "<u2"),
        ("sport", "<u2"),
        ("dport", "<u2"),
        ("ports", "<u4"),
    ]
)
"""struct xw_first_fragment."""

QUESTION = np.dtype(
    [
        ("number", "<u4"),
        ("egress", "<u4"),
        ("copy", "<u4"),
        ("length", "<u4"),
        ("vlan", "<u4"),
        ("first_known", "<u4"),
        ("ifindex", "<u4"),
        ("pad", "<u4"),
        ("first", FIRST_FRAGMENT),
    ]
)
"""struct xw_question."""

QUESTION_NOW = 2
ANSWER_EXPIRED = 1 << 18
ANSWER_LIMITED = 1 << 15

ANSWER = np.dtype(
    [
        ("control_word", "<u8"),
        ("matched", "<u4"),
        ("neighbor_discovery", "<u4"),
        ("event", abi.EVENT),
        ("rules", "<u4", (abi.MAX_POSITIONS,)),
    ]
)
"""struct xw_answer."""

MOST_RUN = 2048
"""Bytes of a frame that are run: a test-run takes no more than a page, less what the kernel needs of it.
All headers are in them, unless options and extension headers fill a page."""

_DROP, _BY_POLICY, _ERROR = 1, 2, 4
_PORTS_READ = 1
_NO_MEMORY = np.zeros((), FIRST_FRAGMENT)

Hook = Literal["xdp", "tc"]


@dataclass(frozen=True, slots=True)
class FirstFragment:
    """What the first fragment of a later one's datagram had, where the asker says so."""

    proto: int
    sport: int | None = None
    dport: int | None = None
    tcp_flags: int | None = None
    icmp: int | None = None
    """type << 8 | code"""


@dataclass(frozen=True, slots=True)
class Question:
    """Where a frame is met, and what the bytes of a test-run cannot say of it."""

    number: int
    """Of the attachment."""
    egress: bool = False
    copy: int | None = None
    """None: the one in force for the attachment, as a packet would find it at that moment."""
    length: int | None = None
    """Of the frame, where it has more bytes than are given."""
    vlan: int | None = None
    """Of the tag in the metadata, which is not among the bytes; the tc hook alone sees it."""
    first: FirstFragment | None = None
    """None: what the fragment memory has."""
    ifindex: int = 0
    """Of the interface: flows of link-local addresses have it."""


@dataclass(frozen=True, slots=True)
class MatchingRule:
    """A rule that matched, by its slot."""

    slot: int
    action: abi.Action
    log: bool
    expired: bool
    """It has all that the rule asks for, and the rule's time is over: it did nothing."""
    limited: bool = False
    """It has all that the rule asks for, but for its rate: it did nothing."""

    @property
    def counted(self) -> bool:
        """Whether it matched."""
        return not (self.expired or self.limited)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the frame."""

    dropped: bool
    error: bool
    """Not judged, and passed for that: no Ethernet header, or a map was missing."""
    passing: bool
    """Not judged: filtering is off, or this attachment passes everything. Only for the copy in force."""
    copy: int
    revision: int
    """Of the copy in force; 0 where a copy was asked for."""
    by: MatchingRule | None
    """The rule that decided; None: the policy did, unless `error` or `passing`."""
    matched: tuple[MatchingRule, ...]
    """All that matched, in order, the deciding one last."""
    neighbor_discovery: bool
    """Passes a policy that does not include it."""
    record: bytes = field(repr=False)
    """The packet as the classifier read it: struct xw_event without frame bytes (events/decode.py)."""

    @property
    def by_policy(self) -> bool:
        """Whether no rule decided, and the policy did."""
        return self.by is None and not self.error and not self.passing


class Explainer(Closing):
    """One hook's explaining program, loaded. Not thread-safe, and no two may share it."""

    def __init__(self, loaded: LoadedObject) -> None:
        (self._program,) = loaded.programs.values()
        self._loaded = loaded
        self._question = np.frombuffer(loaded.maps["question"].mmap(), QUESTION, 1)
        self._answer = np.frombuffer(loaded.maps["answer"].mmap(), ANSWER, 1)

    @classmethod
    def load(cls, hook: Hook, shared: Mapping[str, Map], map_set: MapSet) -> Explainer:
        """Load it on these maps, with the code for every feature. It reads this map set only: after
        that grew, load another. Unsupported when the kernel refuses it."""
        loaded = load_object(
            object_path(f"explain_{hook}"),
            rodata={**map_set.constants, "features": int(abi.Feature(sum(abi.Feature)))},
            sizes=map_set.map_sizes,
            reuse={**shared, **map_set.maps},
        )
        return cls(loaded)

    @property
    def verified_insns(self) -> int:
        """Instructions that the verifier looked at."""
        return self._program.info.verified_insns

    def ask(self, frame: bytes, question: Question) -> Answer:
        """Run a frame of 14 bytes or more, its first MOST_RUN bytes. Raises where the kernel runs no
        such frame: tc takes no cut IP header, and none without anything behind the ethertype."""
        self._question[0] = (
            question.number,
            question.egress,
            QUESTION_NOW if question.copy is None else question.copy,
            question.length or (len(frame) if len(frame) > MOST_RUN else 0),
            abi.VLAN_NONE if question.vlan is None else question.vlan,
            question.first is not None,
            question.ifindex,
            0,
            _remembered(question.first) if question.first is not None else _NO_MEMORY,
        )
        self._answer["matched"] = 0
        self._program.test_run(frame[:MOST_RUN], out_size=0)
        return _read(self._answer[0])

    def close(self) -> None:
        """Unload it."""
        self._loaded.close()


class Explainers(Closing):
    """The explaining programs of both hooks, each loaded when first asked for (30 ms), and kept."""

    def __init__(self) -> None:
        self._loaded: dict[Hook, Explainer] = {}

    def of(self, hook: Hook, load: Callable[[Hook], Explainer]) -> Explainer:
        """The hook's program; `load` loads it, and is not kept: its owner would be kept with it."""
        if hook not in self._loaded:
            self._loaded[hook] = load(hook)
        return self._loaded[hook]

    def close(self) -> None:
        """Unload those that were loaded; what is asked for after that is loaded anew."""
        for explainer in self._loaded.values():
            explainer.close()
        self._loaded.clear()


def _remembered(first: FirstFragment) -> Any:
    """As bpf/fragment.h keeps it: what was not read is hidden, what does not apply is 0."""
    ports = first.sport is not None and first.dport is not None
    return (
        time.monotonic_ns(),
        first.icmp or 0,
        first.proto,
        first.tcp_flags or 0,
        first.sport or 0,
        first.dport or 0,
        _PORTS_READ if ports else 0,
    )


def _read(answer: Any) -> Answer:
    control = abi.Control.unpack(int(answer["control_word"]))
    event = answer["event"]
    decision = int(event["decision"])
    matched = tuple(_matching(int(word)) for word in answer["rules"][: int(answer["matched"])])
    decided = bool(event["slot"])
    return Answer(
        dropped=bool(decision & _DROP),
        error=bool(decision & _ERROR),
        passing=not control.on,
        copy=control.copy,
        revision=control.revision,
        by=matched[-1] if decided else None,
        matched=matched,
        neighbor_discovery=bool(answer["neighbor_discovery"]),
        record=event.tobytes()[: -abi.EVENT_BYTES],
    )


def _matching(word: int) -> MatchingRule:
    return MatchingRule(
        slot=word & abi.RULE_SLOT,
        action=abi.Action(word >> abi.RULE_ACTION & 3),
        log=bool(word & abi.RULE_LOG),
        expired=bool(word & ANSWER_EXPIRED),
        limited=bool(word & ANSWER_LIMITED),
    )
