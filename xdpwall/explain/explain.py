"""Say what becomes of a packet: at each hook in the order in which it meets them, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xdpwall.dataplane.explaining import MOST_RUN, Answer
from xdpwall.rule.iface_selector import NO_RELATIONS, Relations
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Direction, Place
from xdpwall.views.explain import (
    Decider,
    ExplainedHook,
    ExplainedPacket,
    ExplainedRule,
    FieldDiffers,
    LimitedRule,
    NearRule,
    Verdict,
)

from .classifier import Classifier
from .cookies import cookie_note
from .frame import Frame
from .near_miss import Effort, Holds, NearMiss, ReadPacket, nearest, packet_of

PLACES: Mapping[Direction, tuple[Place, ...]] = {
    "ingress": ("xdp", "tc-ingress"),
    "egress": ("tc-egress",),
}
"""In the order in which a packet meets them."""
MOST_NEAR = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One packet to explain, and what the answer says of it besides."""

    frame: Frame
    direction: Direction
    iface: str | None = None
    """None: one that no rule names."""
    text: str | None = None
    assumed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """What packets are judged by."""

    classifier: Classifier
    rules: Sequence[Rule]
    """In order, disabled ones too."""
    index_of: Callable[[int], int | None]
    """The index of the rule with a slot; None where it is not known."""
    policy: Policy
    holds: Holds
    now: str
    """A canonical time."""
    relations: Mapping[str, Relations]
    """By interface."""
    effort: Effort = field(default_factory=Effort)
    off: bool = False
    """Filtering is switched off."""


def explain_packet(
    asked: Asked,
    attached: Collection[Place],
    in_force: Ground | None,
    planned: Callable[[], Ground],
    strips: Callable[[str], bool],
) -> ExplainedPacket:
    """Explain one packet. `attached`: the places on its interface with a program; for others the
    `planned` ground says what would be; `strips`: whether tags may be gone before XDP."""
    places = [place for place in PLACES[asked.direction] if place in attached]
    notes, hooks = [], []
    if not places:
        where = "an interface that no rule names" if asked.iface is None else asked.iface
        notes.append(f"nothing is attached for {_side(asked)} on {where}: every packet passes")
    verdict: Verdict | None = "pass"
    for place in places or PLACES[asked.direction][:1]:
        ground = in_force if places and in_force is not None else planned()
        hook = _explain_hook(asked, place, ground, attached=bool(places))
        if place == "xdp" and places and asked.iface is not None and asked.frame.tag is not None:
            hook = _with_stripped_tag(asked, hook, ground, strips(asked.iface))
        hooks.append(hook)
        if hook.verdict == "drop" and places:
            verdict = "drop"
            break
        if hook.verdict is None and places:
            verdict = None
    if len(asked.frame.data) > MOST_RUN:
        notes.append(f"the first {MOST_RUN} bytes were run")
    elif asked.frame.length > len(asked.frame.data) and asked.text is None:
        notes.append(f"{len(asked.frame.data)} of {asked.frame.length} bytes are there to be run")
    return ExplainedPacket(
        packet=asked.text,
        bytes=asked.frame.length,
        iface=asked.iface,
        direction=asked.direction,
        assumed=list(asked.assumed),
        verdict=verdict,
        hooks=hooks,
        notes=notes,
    )


def _side(asked: Asked) -> str:
    return "what comes in" if asked.direction == "ingress" else "what goes out"


def _with_stripped_tag(
    asked: Asked, hook: ExplainedHook, ground: Ground, may_strip: bool
) -> ExplainedHook:
    if not may_strip:
        return hook
    bare = Asked(asked.frame.without_tag(), asked.direction, asked.iface)
    other = _explain_hook(bare, "xdp", ground, attached=True)
    note = "explained with the tag in the frame; it may be taken off before XDP: then "
    if (other.verdict, other.rule, other.policy) == (hook.verdict, hook.rule, hook.policy):
        note += "the same happens"
    else:
        by = other.rule.text if other.rule is not None else f"policy {other.policy}"
        note += f"it is a {other.verdict} by {by}"
    return hook.model_copy(update={"notes": [*hook.notes, note]})


def _explain_hook(asked: Asked, place: Place, ground: Ground, *, attached: bool) -> ExplainedHook:
    iface = asked.iface or ""
    if place != "xdp" and not asked.frame.runs_at_tc and asked.frame.tag is None:
        note = "the kernel takes no frame without a whole IP header for a test-run of tc"
        return ExplainedHook(place=place, attached=attached, by="not-run", notes=[note])
    answer = ground.classifier.run(asked.frame, iface, place)
    judged = answer
    if answer.passing:
        judged = ground.classifier.run(asked.frame, iface, place, answer.copy)
    relations = ground.relations.get(iface, NO_RELATIONS)
    packet = packet_of(judged.record, iface, place == "tc-egress", relations)
    notes = []
    if judged.neighbor_discovery and judged.by_policy:
        notes.append("it is neighbor or listener discovery")
    if answering := cookie_note(_decider(judged, ground), packet, place):
        notes.append(answering)
    why = _why(answer, judged, ground, packet)
    if answer.passing:
        by = why["rule"].text if why["rule"] is not None else f"policy {why['policy']}"
        notes.append(f"but for that: {'drop' if judged.dropped else 'pass'} by {by}")
    return ExplainedHook(
        place=place,
        attached=attached,
        verdict="drop" if answer.dropped else "pass",
        **{**why, "notes": notes + why["notes"]},
    )


def _decider(judged: Answer, ground: Ground) -> Rule | None:
    """The rule that decided, if one did."""
    index = None if judged.by is None else ground.index_of(judged.matched[-1].slot)
    return None if index is None else ground.rules[index]


def _why(answer: Answer, judged: Answer, ground: Ground, packet: ReadPacket) -> dict[str, Any]:
    by: Decider = "policy"
    if answer.passing:
        by = "off" if ground.off else "passing"
    elif answer.error:
        by = "error"
    elif judged.by is not None:
        by = "rule"
    matched = [(one, ground.index_of(one.slot)) for one in judged.matched]
    decided = None if judged.by is None else matched[-1][1]
    before = matched if judged.by is None else matched[:-1]
    near: list[NearMiss] = []
    candidates = _candidates(ground, matched, decided)
    looked = ground.effort.take(len(candidates))
    if looked and not judged.error:
        near = nearest(candidates, packet, ground.holds, MOST_NEAR)
    return {
        "by": by,
        "rule": None if judged.by is None else _rule(ground, decided),
        "policy": _policy(ground.policy, judged, packet) if judged.by_policy else None,
        "counted": [_rule(ground, index) for one, index in before if one.counted],
        "limited": [_limited_rule(ground, index) for one, index in before if one.limited],
        "expired": [_rule(ground, index) for one, index in before if one.expired],
        "near": [
            NearRule(
                rule=_rule(ground, one.index),
                differs=[
                    FieldDiffers(
                        field=d.field, packet=d.packet, unreadable=d.unreadable, rule=d.rule
                    )
                    for d in one.differs
                ],
            )
            for one in near
        ],
        "unreadable": packet.unreadable(),
        "state": packet.shown("state"),
        "why_invalid": packet.why_invalid(),
        "notes": [] if looked else ["so many packets and rules: near ones were not looked for"],
    }


def _candidates(
    ground: Ground, matched: Sequence[tuple[object, int | None]], decided: int | None
) -> list[tuple[int, Rule]]:
    """The rules in front of the decision that took no part in it."""
    end = len(ground.rules) if decided is None else decided
    took_part = {index for _, index in matched}
    return [
        (index, rule)
        for index, rule in enumerate(ground.rules[:end])
        if rule.enabled
        and index not in took_part
        and (rule.expires is None or rule.expires > ground.now)
    ]


def _rule(ground: Ground, index: int | None) -> ExplainedRule:
    if index is None:
        return ExplainedRule(position=0, text="a rule that is not known any more")
    rule = ground.rules[index]
    return ExplainedRule(position=index + 1, id=rule.id, text=rule.text)


def _limited_rule(ground: Ground, index: int | None) -> LimitedRule:
    rule = None if index is None else ground.rules[index]
    over = rule is not None and rule.over is not None
    return LimitedRule(rule=_rule(ground, index), tokens="left" if over else "none")


def _policy(policy: Policy, judged: Answer, packet: ReadPacket) -> str:
    if packet.family is None:
        return f"non_ip {policy.non_ip}"
    if judged.neighbor_discovery and policy.neighbor_discovery == "accept":
        return "neighbor_discovery accept"
    return f"egress {policy.egress}" if packet.egress else f"ingress {policy.ingress}"
