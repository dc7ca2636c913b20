"""Warnings about rules with `length` where packets are met before they are cut into segments, or after
they were merged. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.inputs import first_few

from .causes import NAMED, CauseWords, cause_warnings, concerns

SHORTEST_SEGMENT = 576
"""Bytes of an IP packet. A super-packet is longer than any segment in it, and every segment but its last
is at least this long (RFC 879); a rule about shorter packets alone is not about either."""


def length_warnings(rules: Iterable[Rule], attachments: Sequence[Attachment]) -> list[str]:
    """Rules with `length` that meet super-packets, which are many segments."""
    found: dict[CauseWords, list[str | None]] = {}
    for rule in rules:
        for cause in about_length(rule, attachments):
            found.setdefault(cause, []).append(rule.id)
    return cause_warnings(found)


def is_about_super_packets(rule: Rule) -> bool:
    """Whether it makes a difference to the rule that segments are met as one packet."""
    if rule.length is None:
        return False
    first, _, last = str(rule.length).partition("-")
    return int(last or first) >= SHORTEST_SEGMENT


def meets_super_packets(row: Attachment) -> bool:
    """Whether it meets TCP segments as one packet of up to 64 kB."""
    return _met_singly(row) is not None


def about_length(rule: Rule, attachments: Sequence[Attachment]) -> Iterator[CauseWords]:
    """What is to be said of one rule: one cause for each way to meet the segments singly."""
    if not is_about_super_packets(rule):
        return
    meeting: dict[str, list[Attachment]] = {}
    for one in attachments:
        if concerns(rule, one) and rule.direction in (None, one.direction):
            singly = _met_singly(one)
            if singly is not None:
                meeting.setdefault(singly, []).append(one)
    for singly, there in meeting.items():
        where = f"{there[0].words} meets" if len(there) == 1 else f"{_names(there)} meet"
        rest = (
            f" length: {where} TCP segments as one packet of up to 64 kB, of which the whole "
            f"length counts; {singly}"
        )
        yield CauseWords(f" names{rest}", f" name{rest}")


def _names(there: Sequence[Attachment]) -> str:
    return first_few([one.words for one in there], NAMED)


def _met_singly(row: Attachment) -> str | None:
    """What meets the segments one by one instead; None where this attachment does. A card's own generic
    XDP ends its merging (LRO, GRO), and native XDP on a veth that of the sender."""
    if row.place == "tc-egress":
        return "they are cut later"
    if row.place == "tc-ingress":
        return "they are single at xdp, of a veth in native mode"
    if row.mode != "generic" or row.kind is None:
        return None
    if row.kind in ("veth", "tun"):
        return "they are single in native mode"
    return "they are single at xdp of the card or port below"
