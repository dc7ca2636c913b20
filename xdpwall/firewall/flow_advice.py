"""What `check`, `rule add` and `apply` say of rules whose flows are not what they seem, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING

from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy, asks_for_flows
from xdpwall.ruleset.set_references import sets_named_by

if TYPE_CHECKING:
    from xdpwall.check.flow_advice import FlowFinding

Names = Callable[[Sequence[int]], str]
"""Rules by their index, as they are named to the user."""

MOST_WARNED = 12
"""In one answer; one more sentence says how many there are."""
MOST_RULES = 2000
"""Up to which a change is looked at; `check` looks at larger rulesets."""


def advice_warnings(
    rules: Sequence[Rule], policy: Policy, about: Collection[str | None] | None = None
) -> list[str]:
    """The findings about a ruleset in which the rules with the ids `about` have a part, all for None. What
    sets hold is not looked at."""
    if len(rules) > MOST_RULES or not asks_for_flows(rules, policy):
        return []
    from xdpwall.check.flow_advice import flow_findings  # NumPy
    from xdpwall.check.members import Members

    unknown = Members({name: None for rule in rules for _, name in sets_named_by(rule)})
    mine = None if about is None else {n for n, rule in enumerate(rules) if rule.id in about}

    def names(numbers: Sequence[int]) -> str:
        return " and ".join(f"{_name(rules, n)} ({rules[n].text})" for n in numbers)

    found = [
        f"{_name(rules, one.rule)}: {flow_words(rules, one, names)}"
        for one in flow_findings(rules, policy, unknown, mine)
    ]
    more = len(found) - MOST_WARNED
    return found[:MOST_WARNED] + (
        [f"... and {more} more about flows: xdpwall check"] if more > 0 else []
    )


def _name(rules: Sequence[Rule], number: int) -> str:
    rule_id = rules[number].id
    return f"rule {number + 1}" if rule_id is None else f"rule {rule_id}"


def flow_words(rules: Sequence[Rule], one: FlowFinding, names: Names) -> str:
    """The message of one finding, about `rules[one.rule]`."""
    match one.advice:
        case "drops-cookies":
            return _drops_cookies(one, names)
        case "forged-flows":
            keeps = names(one.because) if one.because else "policy egress accept keep"
            return (
                f"what it is asked by forged sources makes flows, since {keeps} keeps the answers: in "
                f"front of that, {_add(_answering(rules[one.rule]))}"
            )
        case "no-flow":
            return _no_flow(rules, one, names)
        case "elsewhere":
            return _elsewhere(one)


def _drops_cookies(one: FlowFinding, names: Names) -> str:
    if one.because:
        accepts, mend = names(one.because), "put it behind; under a drop policy it is not needed"
    else:
        accepts, mend = f"policy {one.policy} accept", "leave it away, or say keep there"
    return (
        f"drops what {accepts} would let pass: what answers this host's SYN cookies, and connections "
        f"whose other packets take another way, have no flow: {mend}"
    )


def _no_flow(rules: Sequence[Rule], one: FlowFinding, names: Names) -> str:
    asks = one.witness
    assert asks is not None
    dropped = f"policy {one.policy} drop" if one.policy else names(one.because[-1:])
    if one.by_policy:
        return (
            f"knows no answer to what policy {asks.direction} accept lets pass, since that makes no flow, "
            f"and {dropped} ends them: xdpwall policy set {asks.direction} accept keep"
        )
    way, back = ("out", "in") if asks.direction == "egress" else ("in", "out")
    aside = "" if asks.tcp_flags is None else " (those to TCP sockets of this host aside)"
    mend = "say keep" if rules[one.rule].direction else f"say keep, or `{back}`"
    return (
        f"makes and refreshes no flow for what it lets {way}, so that {names(one.because[:1])} does "
        f"not know the answers{aside}, and {dropped} ends them: {mend}"
    )


def _elsewhere(one: FlowFinding) -> str:
    answer = one.answer
    assert answer is not None
    words = f"asks {answer.name}, which answers from elsewhere than was asked: no flow knows that, and no rule accepts it"
    if answer.sport is None:
        return f"{words}: accept udp from those who answer"
    to = "" if answer.dport is None else f"/{answer.dport}"
    return f"{words}: {_add(f'accept udp{to} sport {answer.sport} in')}"


def _answering(rule: Rule) -> str:
    """The stateless rule for what a service answers."""
    on = "" if rule.iface is None or rule.iface.startswith("!") else f" on {rule.iface}"
    source = f" from {rule.dst}" if _is_source(rule.dst) else ""
    port = str(rule.dport)
    ports = f"not {port[1:]}" if port.startswith("!") else port
    return f"accept udp{source} sport {ports}{on} out"


def _is_source(dst: str | None) -> bool:
    """Whether packets may come from these addresses: from a group nothing does."""
    if dst is None or dst.startswith("!"):
        return False
    return dst.startswith("@") or not ip_network(dst).is_multicast


def _add(sentence: str) -> str:
    return f"xdpwall rule add {sentence}"
