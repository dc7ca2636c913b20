"""Random rulesets around one session, and random changes of them, most about its packets."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries
from xdpwall.values.author import Author

SETS = ("friends", "bad")
ADDRESSES = ("10.9.0.2", "10.9.0.0/24", "10.0.0.0/8", "192.0.2.0/24", "10.9.0.3", "10.9.0.1")
PLACES = (
    ("veth0", "xdp", "ingress"),
    ("veth0", "tc", "ingress"),
    ("veth0", "tc", "egress"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A change, to be made by any author."""

    kind: str
    words: str
    make: Callable[[Firewall, Author], Any]


def draw_rule(rng: random.Random, *, action: str | None = None) -> dict[str, Any]:
    """A rule, whose fields have the session's values more often than not."""
    if action is None and rng.random() < 0.4:
        return {"text": rng.choice(_HOSTILE)}
    rule: dict[str, Any] = {
        "action": action or rng.choice(("drop", "drop", "drop", "accept", "count"))
    }
    if rng.random() < 0.06:
        return {**rule, "ethertype": rng.choice(("arp", "any", "0x88cc"))}
    for name, draw in _FIELDS.items():
        if rng.random() < 0.15:
            rule[name] = draw(rng)
    if rng.random() < 0.6:
        rule["proto"] = rng.choice(("tcp", "tcp", "tcp", "udp", "icmp", "gre"))
    if rule.get("proto") == "tcp":
        for name, draw in _TCP_FIELDS.items():
            if rng.random() < 0.3:
                rule[name] = draw(rng)
    return rule


_HOSTILE = (
    *("drop tcp/22", "drop from 10.9.0.0/24", "drop tcp", "drop to 10.9.0.1", "drop tcp sport 22"),
    *("drop from @friends", "drop from not @bad", "drop to @bad", "drop ethertype arp", "drop"),
    *(
        "drop tcp flags psh",
        "drop tcp/20-30 from not 192.0.2.0/24",
        "drop tcp from 10.9.0.2 ttl 64",
    ),
    *(
        "drop tcp/22 length 200-300",
        "drop tcp/22 flags syn/syn,ack",
        "drop unfragmented",
        "drop tcp/22 on veth0",
    ),
)
"""What cuts the session, unless something in front of it decides."""


def _address(rng: random.Random) -> str:
    return rng.choice(("", "", "!")) + rng.choice((*ADDRESSES, "@friends", "@bad"))


def _port(rng: random.Random) -> str:
    return rng.choice(("", "", "!")) + rng.choice(("22", "22", "20-30", "80,443", "1024-65535"))


_FIELDS: dict[str, Callable[[random.Random], Any]] = {
    "src": _address,
    "dst": _address,
    "direction": lambda rng: rng.choice(("ingress", "egress")),
    "iface": lambda rng: rng.choice(("veth0", "veth0", "!veth0", "lo", "other")),
    "length": lambda rng: rng.choice(("0-60", "40-100", "200-300", "1000-1500", "1501-9000")),
    "ttl": lambda rng: rng.choice(("64", "1-5", "128-255")),
    "fragment": lambda rng: rng.choice((True, False)),
    "vlan": lambda rng: rng.choice(("none", "!none", 7, "!7")),
}
_TCP_FIELDS: dict[str, Callable[[random.Random], Any]] = {
    "sport": _port,
    "dport": _port,
    "tcp_flags": lambda rng: rng.choice(
        ("syn", "ack", "syn/syn,ack", "psh", "fin", "none/syn,ack,fin,rst,psh,urg", "rst/rst")
    ),
}


def draw_ruleset(rng: random.Random) -> dict[str, Any]:
    """A ruleset, with attachments on the session's cable."""
    rules = [draw_rule(rng) for _ in range(rng.choice((0, 2, 5, 20, 80)))]
    policy = {
        "ingress": rng.choice(("accept", "accept", "drop")),
        "egress": rng.choice(("accept", "accept", "drop")),
    }
    if "drop" in policy.values() or rng.random() < 0.3:
        place = rng.randrange(min(3, len(rules) + 1))
        rules[place:place] = [
            {"action": "accept", "proto": "tcp", "dport": "22"},
            {"action": "accept", "proto": "tcp", "sport": "22"},
        ]
    chosen = [one for one in PLACES if rng.random() < 0.7] or [PLACES[0]]
    return {
        "version": 1,
        "policy": policy,
        "sets": {name: {"entries": _entries(rng)} for name in SETS},
        "rules": [_usable(rule, chosen) for rule in rules],
        "attachments": [
            {"iface": iface, "hook": hook, "direction": direction}
            for iface, hook, direction in chosen
        ],
    }


def _usable(rule: dict[str, Any], places: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Without a direction that no attachment of its interface sees, which is refused."""
    if rule.get("direction") in {direction for *_, direction in places}:
        return rule
    return {name: value for name, value in rule.items() if name != "direction"}


def _entries(rng: random.Random) -> list[str]:
    return rng.sample(ADDRESSES, rng.randrange(4))


def draw_change(rng: random.Random) -> Change:
    """One change."""
    return rng.choice(_CHANGES)(rng)


def _add(rng: random.Random) -> Change:
    rules = [draw_rule(rng) for _ in range(rng.choice((1, 1, 1, 3)))]
    first, at = rng.random() < 0.7, 1
    return Change(
        "add",
        f"add {rules} {'first' if first else 'last'}",
        lambda fw, by: fw.add_rules(
            [Rule.parse(one) for one in rules], at=at if first else None, by=by
        ),
    )


def _with_rule(
    rng: random.Random, kind: str, act: Callable[[Firewall, str, Author], Any]
) -> Change:
    which = rng.random()

    def make(firewall: Firewall, by: Author) -> Any:
        rules = firewall.rules().rules
        return act(firewall, rules[int(which * len(rules))].id, by) if rules else None

    return Change(kind, f"{kind} the rule at {which:.2f} of all", make)


def _set_rule(rng: random.Random) -> Change:
    rule = Rule.parse(draw_rule(rng))
    return _with_rule(rng, "replace", lambda fw, i, by: fw.replace_rule(i, rule, by=by))


def _policy(rng: random.Random) -> Change:
    name = rng.choice(("ingress", "egress", "non_ip", "neighbor_discovery"))
    value = rng.choice(("accept", "judge" if name == "neighbor_discovery" else "drop"))
    return Change(
        "policy", f"policy {name} {value}", lambda fw, by: fw.set_policy({name: value}, by=by)
    )


def _apply(rng: random.Random) -> Change:
    wanted = draw_ruleset(rng)
    return Change("apply", f"apply {wanted}", lambda fw, by: fw.apply(Ruleset.parse(wanted), by=by))


def _load(rng: random.Random) -> Change:
    name, entries = rng.choice(SETS), _entries(rng)
    return Change(
        "load",
        f"load {name} {entries}",
        lambda fw, by: fw.replace_set(name, Entries.of(entries), by=by),
    )


def _entry(rng: random.Random) -> Change:
    name, entry, add = rng.choice(SETS), rng.choice(ADDRESSES), rng.random() < 0.5
    return Change(
        "entries",
        f"{'add' if add else 'remove'} {entry}, {name}",
        lambda fw, by: fw.change_set(
            name, add=[entry] if add else [], remove=[] if add else [entry], by=by
        ),
    )


def _rollback(rng: random.Random) -> Change:
    return Change("rollback", "rollback", lambda fw, by: fw.rollback(allow_empty=True, by=by))


def _attach(rng: random.Random) -> Change:
    iface, hook, direction = rng.choice(PLACES)
    return Change(
        "attach",
        f"attach {iface} {hook} {direction}",
        lambda fw, by: fw.attach(iface, hook=hook, direction=direction, by=by),  # type: ignore[arg-type]
    )


def _off_and_on(rng: random.Random) -> Change:
    rule = Rule.parse(draw_rule(rng))

    def make(firewall: Firewall, by: Author) -> None:
        firewall.set_switch(False, by=by)
        if not by.force:
            firewall.add_rules([rule], at=1, by=by)
        firewall.set_switch(True, by=by)

    return Change("on", f"off, add {rule.text} first, on", make)


def _block(rng: random.Random) -> Change:
    target = rng.choice((*ADDRESSES, "icmp", "tcp/22", "udp", "tcp/80"))
    return Change("block", f"block {target}", lambda fw, by: fw.block(target, by=by))


_CHANGES: tuple[Callable[[random.Random], Change], ...] = (
    *(_add, _add, _add, _set_rule, _policy, _apply, _load, _entry, _entry),
    *(_rollback, _attach, _off_and_on, _block),
    lambda rng: _with_rule(rng, "delete", lambda fw, i, by: fw.delete_rules([i], by=by)),
    lambda rng: _with_rule(rng, "disable", lambda fw, i, by: fw.enable_rules([i], False, by=by)),
    lambda rng: _with_rule(rng, "move", lambda fw, i, by: fw.move_rule(i, 1, by=by)),
)
