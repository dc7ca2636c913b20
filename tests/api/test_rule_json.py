"""Rules written quickly are written as the models write them."""

from __future__ import annotations

from typing import Any

from xdpwall.api.rule_json import RuleJsonCache
from xdpwall.firewall.observation import Observation, rules_at
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.index import RuleEntry
from xdpwall.views.rules import RuleList

NOW = "2026-11-21T10:00:00Z"
RULES: list[dict[str, Any]] = [
    {"action": "drop", "proto": "icmp", "iface": "docker0", "comment": 'say "größer" \\ ☃'},
    {"action": "accept", "proto": "tcp", "dport": "80,443", "enabled": False},
    {"action": "count", "ethertype": "arp", "vlan": 7, "expires": "2026-11-21T09:00:00Z"},
    {"action": "drop", "proto": 47, "fragment": False, "ttl": "0-5"},
]


def look(*entries: RuleEntry, revision: int = 3) -> Observation:
    raw = [(1000 * i, 64_000 * i) for i in range(len(entries))]
    return Observation(
        ruleset=CommittedRuleset(revision=revision, entries=entries),
        on=True,
        time=1.0,
        now=NOW,
        raw=raw,
        counts={},
        hits={entries[1].id: NOW},
        attachments=(),
        expired=frozenset({"r3"}),
        mark=0,
        trail=(),
    )


def entries() -> list[RuleEntry]:
    rules = [Rule.parse({**one, "id": f"r{i}"}) for i, one in enumerate(RULES, 1)]
    made = "2026-11-21T08:00:00Z"
    return [RuleEntry(rule, slot, made, base_packets=300) for slot, rule in enumerate(rules)]


def by_the_models(seen: Observation) -> bytes:
    found = RuleList(revision=seen.ruleset.revision, rules=rules_at(seen))
    return found.model_dump_json(exclude_none=True, by_alias=True).encode()


def test_the_bytes_are_those_of_the_models() -> None:
    texts = RuleJsonCache()
    seen = look(*entries())
    assert texts.list_json(seen) == by_the_models(seen)
    assert texts.list_json(seen) == by_the_models(seen)  # From what it has kept.


def test_what_changed_is_written_anew() -> None:
    texts, before = RuleJsonCache(), entries()
    texts.rules_json(look(*before))
    edited = before[0]._replace(rule=before[0].rule.changed({"comment": "other"}))
    seen = look(before[2], edited, before[3], revision=4)
    assert texts.list_json(seen) == by_the_models(seen)
    assert b"other" in texts.list_json(seen)
