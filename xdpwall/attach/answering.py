"""Which attachments may answer SYNs at XDP, and a warning for those that may not."""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment

from .causes import concerns
from .stripped_tags import may_strip_tags


def silent_because(row: Attachment) -> str | None:
    """Why a SYN passes that a rule with `cookie` would answer; None where it is answered."""
    if row.place != "xdp":
        return "tc answers no SYN: attach at xdp"
    from xdpwall.kernel.net.xdp_transmit import has_vlan_above, peer_receives

    if row.mode != "native":
        return None
    try:
        tagged = has_vlan_above(row.index)
    except OSError:
        tagged = True
    if tagged and may_strip_tags(row):
        return (
            "VLAN tags may be taken out of the frame before XDP, and an answer would go without:"
            " attach with --mode generic, or at a card `ethtool -K DEV rxvlan off`"
        )
    receives = peer_receives(row.index)
    if receives:
        return None
    words = "receives nothing" if receives is False else "cannot be seen to receive anything"
    return (
        f"the veth's peer {words} that XDP sends back: attach with --mode generic, or an XDP program in"
        f" native mode to the peer and then `xdpwall attach {row.iface}`"
    )


def answering_bits(rows: Iterable[Attachment]) -> int:
    """One bit for each attachment that answers, by its number."""
    settled = (row for row in rows if row.mode is not None)
    return sum(1 << row.number for row in settled if silent_because(row) is None)


def cookie_warnings(rules: Iterable[Rule], rows: Iterable[Attachment]) -> list[str]:
    """Attachments where a rule with `cookie` answers no SYN. At egress none comes in."""
    asking = [rule for rule in rules if rule.enabled and rule.cookie]
    warnings = []
    for row in rows if asking else ():
        if row.direction == "egress" or not any(concerns(rule, row) for rule in asking):
            continue
        if reason := silent_because(row):
            warnings.append(f"{row.words}: SYNs pass unanswered, whatever says cookie: {reason}")
    return warnings
