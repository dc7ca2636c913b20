"""What becomes of a packet, and why."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xdpwall.values.terms import Direction, Place

from .base import View

Verdict = Literal["pass", "drop"]
Decider = Literal["rule", "policy", "off", "passing", "error", "not-run"]


MOST_PACKETS = 1000
"""Packets of one request."""
MOST_RULES = 20
"""Rules of one request for which packets are made: each takes up to a second among 10,000."""
HEADER = 14
"""Bytes of an Ethernet header, without which there is no frame."""
MOST_BYTES = 1 << 18
"""Of a frame: no link has longer ones."""


class GivenFrame(View):
    """A packet as bytes, of a capture file."""

    data: Annotated[
        str,
        Field(
            description="the frame in hexadecimal, from the Ethernet header on",
            pattern="^([0-9a-f]{2}){14,4096}$",
        ),
    ]
    length: Annotated[
        int | None,
        Field(description="of the whole frame, if `data` is cut off", ge=HEADER, le=MOST_BYTES),
    ] = None
    iface: Annotated[
        str | None,
        Field(json_schema_extra={"format": "interface", "minLength": 1, "maxLength": 15}),
    ] = None
    direction: Direction = "ingress"


PacketInput = str | GivenFrame
"""A packet in the words of a rule's sentence, or its bytes."""


class ExplainedRule(View):
    """A rule that has to do with the packet."""

    position: Annotated[int, Field(description="from 1")]
    id: str | None = None
    text: str


class FieldDiffers(View):
    """A field that keeps a rule from matching."""

    field: str
    packet: Annotated[
        str | None, Field(description="absent: the packet has no such field, or it is unreadable")
    ] = None
    unreadable: bool = False
    rule: Annotated[str, Field(description="what the rule wants there")]


class NearRule(View):
    """A rule in front of the decision that does not match, and why."""

    rule: ExplainedRule
    differs: list[FieldDiffers]


class LimitedRule(View):
    """A rule that only its rate keeps from matching: `limit` without a token, `over` with one."""

    rule: ExplainedRule
    tokens: Literal["none", "left"]


class ExplainedHook(View):
    """One program that the packet meets, or would meet."""

    place: Place
    attached: Annotated[bool, Field(description="false: what it would do")] = True
    verdict: Annotated[Verdict | None, Field(description="absent: it is not known")] = None
    by: Annotated[
        Decider,
        Field(
            description="off: filtering is off; passing: this attachment passes everything, as it is "
            "coming or leaving; error: not judged, which passes; not-run: it cannot be asked, and the verdict is not known"
        ),
    ]
    rule: Annotated[ExplainedRule | None, Field(description="the one that decides")] = None
    policy: Annotated[
        str | None, Field(description="the one that decides, like `ingress drop`")
    ] = None
    counted: Annotated[list[ExplainedRule], Field(description="before the decision")] = []
    expired: Annotated[
        list[ExplainedRule], Field(description="would match, their time is over")
    ] = []
    limited: Annotated[
        list[LimitedRule], Field(description="would match, but for their rate at this moment")
    ] = []
    near: list[NearRule] = []
    unreadable: Annotated[list[str], Field(description="fields")] = []
    state: Annotated[
        str | None,
        Field(description="what flows say of the packet; absent: no rule asked, or unreadable"),
    ] = None
    why_invalid: Annotated[str | None, Field(description="why the state is invalid")] = None
    notes: list[str] = []


class ExplainedPacket(View):
    """One packet, and what it meets in order."""

    packet: Annotated[str | None, Field(description="in the words of a rule; absent: bytes")] = None
    bytes: int
    iface: str | None = None
    behind: Annotated[
        str | None,
        Field(description="what lies behind the interface by the engine's names: container web"),
    ] = None
    direction: Direction
    assumed: Annotated[list[str], Field(description="fields that were not said")] = []
    verdict: Annotated[
        Verdict | None,
        Field(description="what it gets; nothing attached passes all; absent: it is not known"),
    ] = None
    hooks: list[ExplainedHook]
    notes: list[str] = []


class ExplainReport(View):
    """The answer to `explain`."""

    revision: Annotated[
        int | None, Field(description="the ruleset in force; absent: one that was handed over")
    ] = None
    packets: list[ExplainedPacket]
