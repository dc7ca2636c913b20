"""Quick blocks: an address in the set `blocked`, or a rule `block-N`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule
from xdpwall.sets.entries import AddressEntry, parse_entry
from xdpwall.values.inputs import invalid

BLOCKED = "blocked"
"""The set of blocked addresses, and the id of the rule that drops what comes from them."""
BLOCKED_RULE = f"drop from @{BLOCKED}"

_NUMBERED = re.compile(r"block-([1-9][0-9]{0,8})", re.ASCII)
_WANTED = (
    "an address or a prefix, or what a rule says behind `drop`: icmp, tcp/22, udp from 192.0.2.0/24"
)


def parse_block(
    target: str, iface: str | None = None, spared: str | None = None
) -> AddressEntry | Rule:
    """What is to be blocked: an entry of the set, or a rule without an id. `iface` is where, `spared`
    the addresses that are not; either makes it a rule. InvalidInput under `target` or `except`."""
    words = target.strip()
    if not words:
        raise invalid("target", target, "names nothing to block", _WANTED)
    entry = _entry(words)
    if entry is not None and iface is None and spared is None:
        return entry
    if words.split()[0] in ("drop", "accept", "count"):
        raise invalid("target", target, "begins with an action", _WANTED)
    fields = Rule.parse(f"drop {words}" if entry is None else f"drop from {words}").to_json()
    for name in ("id", "expires", "comment"):
        if name in fields:
            raise invalid("target", target, f"names {name}", f"{_WANTED}; --for says how long")
    if iface is not None:
        if fields.get("iface", iface) != iface:
            raise invalid("iface", iface, f"is not {fields['iface']}, which target names", "one")
        fields["iface"] = iface
    if spared is not None:
        if "src" in fields:
            raise invalid("except", spared, "cannot go with a source that is named", "one of both")
        fields["src"] = f"!{spared}"
    return Rule.parse(fields)


def _entry(words: str) -> AddressEntry | None:
    if "/" not in words and ":" not in words and not words[0].isdigit():
        return None
    try:
        return parse_entry(words, "target")
    except InvalidInput:
        if " " in words or not (words[0].isdigit() or ":" in words):
            return None
        raise


def block_words(rule: Rule) -> str:
    """What `block` was given for a rule, as far as it is in the rule's sentence."""
    return rule.model_copy(update={"expires": None, "comment": None}).text.removeprefix("drop ")


def is_block(rule_id: str) -> bool:
    """Whether a rule's id is that of a block."""
    return _NUMBERED.fullmatch(rule_id) is not None


def next_block_id(ids: Iterable[str]) -> str:
    """The id of the next block."""
    numbers = [int(found[1]) for one in ids if (found := _NUMBERED.fullmatch(one))]
    return f"block-{max(numbers, default=0) + 1}"
