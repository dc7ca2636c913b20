"""Warnings about rules and attachments that are valid and may not do what is expected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from urllib.parse import quote

from xdpwall.rule.iface_selector import (
    PORTS,
    is_of_container,
    is_pattern,
    is_relation,
    matches,
)
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.set_references import containers_named_by
from xdpwall.values.addresses import CONTAINER, container_use
from xdpwall.values.inputs import first_few
from xdpwall.values.terms import Place
from xdpwall.views.attachments import Occupant

from .causes import ADDRESS_OF, NAMED, CauseWords, cause_warnings, concerns
from .coverage import BETWEEN, coverage, some_words
from .length_warnings import about_length, is_about_super_packets
from .stripped_tags import may_strip_tags

StripsTags = Callable[[Attachment], bool]
"""Whether the driver may take tags out of the frames before XDP sees them."""


def rule_warnings(
    rules: Iterable[Rule],
    attachments: Sequence[Attachment],
    interfaces: Collection[str],
    strips: StripsTags = may_strip_tags,
    beside: Iterable[Rule] = (),
) -> list[str]:
    """The warnings about these rules with these attachments: one for each cause, with the rules
    that it is about, and at most MOST. `interfaces`: the words by which rules may mean one that is there;
    `beside`: other rules in force, of which one on a bridge's ports may see what another does not."""
    rules = list(rules)
    found: dict[CauseWords, list[str | None]] = {}
    known: dict[Hashable, list[CauseWords]] = {}
    at_ports = {_of_bridge(one) for one in (*rules, *beside) if _is_at_ports(one)}
    for rule in rules:
        # The warnings depend on these alone, which most rules have in common.
        super_packets = is_about_super_packets(rule)
        also = bool(at_ports) and _alone(rule) in at_ports
        addressed = tuple(containers_named_by(rule))
        kind = rule.iface, addressed, rule.direction, rule.vlan is None, super_packets, also
        causes = known.get(kind)
        if causes is None:
            causes = known[kind] = _about_rule(rule, attachments, interfaces, strips, also)
        for cause in causes:
            found.setdefault(cause, []).append(rule.id)
    return cause_warnings(found)


def expired_warnings(rules: Iterable[Rule], now: str) -> list[str]:
    """Rules whose time is over at `now`, a canonical time."""
    found: dict[CauseWords, list[str | None]] = {}
    for rule in rules:
        if rule.expires is not None and rule.expires <= now:
            cause = CauseWords(
                f": its time, {rule.expires}, is over: it matches no packet",
                f": their time, {rule.expires}, is over: they match no packet",
            )
            found.setdefault(cause, []).append(rule.id)
    return cause_warnings(found)


def unsure_warnings(attachments: Iterable[Attachment]) -> list[str]:
    """Selectors of which it is not known whether they mean an interface with an attachment."""
    found: dict[str, list[str]] = {}
    for one in attachments:
        for selector in one.relations.unsure:
            found.setdefault(selector, []).append(one.words)
    return [
        f"{selector}: whether it is {first_few(sorted(words), NAMED)} is not known for sure: drop rules on "
        "it hold there, others do not"
        for selector, words in sorted(found.items())
    ]


def hook_warnings(attachments: Iterable[Attachment]) -> list[str]:
    """Interfaces with XDP and tc ingress attached at once."""
    places: dict[str, set[Place]] = {}
    for attachment in attachments:
        places.setdefault(attachment.iface, set()).add(attachment.place)
    return [
        f"{iface} has xdp and tc ingress attached: both judge and both count each packet"
        for iface, there in places.items()
        if {"xdp", "tc-ingress"} <= there
    ]


def generic_warnings(attachments: Iterable[Attachment]) -> list[str]:
    """Network cards that `auto` took in generic mode, and why; that a bridge has no other is no news."""
    return [
        f"{one.iface} {one.place}: attached in generic mode, which is slower: {one.why_generic}"
        for one in attachments
        if one.why_generic is not None and one.kind is None
    ]


def bypass_warnings(iface: str, others: Iterable[Occupant]) -> list[str]:
    """Others' programs and filters on an interface that may let packets pass before ours."""
    places: dict[str, list[Occupant]] = {}
    for other in others:
        if other.bypasses_us:
            places.setdefault(f"tc-{other.place.partition('-')[2]}", []).append(other)
    return [
        f"{iface} {place}: may be bypassed by {some_words(found)}, which runs before ours: "
        f"`tc filter show dev {iface} {place.removeprefix('tc-')}`, `bpftool net`"
        for place, found in places.items()
    ]


def concerned(rules: Iterable[Rule], attachments: Sequence[Attachment]) -> list[Attachment]:
    """The attachments whose packets any of these rules is about."""
    kinds = {(rule.iface, rule.direction): rule for rule in rules}.values()
    return [
        attachment
        for attachment in attachments
        if any(
            concerns(rule, attachment) and rule.direction in (None, attachment.direction)
            for rule in kinds
        )
    ]


def vlan_warnings(
    rules: Iterable[Rule],
    attachments: Sequence[Attachment],
    strips: StripsTags = may_strip_tags,
) -> list[str]:
    """Rules with `vlan` that meet packets at XDP where a tag may have been taken off them."""
    found: dict[CauseWords, list[str | None]] = {}
    for rule in rules:
        for cause in _about_vlan(rule, attachments, strips):
            found.setdefault(cause, []).append(rule.id)
    return cause_warnings(found)


def _about_vlan(
    rule: Rule, attachments: Sequence[Attachment], strips: StripsTags
) -> Iterator[CauseWords]:
    if rule.vlan is None or rule.direction == "egress":
        return
    names = [
        one.iface
        for one in attachments
        if one.place == "xdp" and concerns(rule, one) and strips(one)
    ]
    if names:
        where = names[0] if len(names) == 1 else "IFACE"
        rest = (
            f" vlan: XDP on {first_few(names, NAMED)} cannot see a tag that the driver stripped; "
            f"tc can: xdpwall attach {where} --hook tc"
        )
        yield CauseWords(f" names{rest}", f" name{rest}")


def attach_command(iface: str, place: Place) -> str:
    """The call that attaches, for the shell and for REST."""
    options = {"xdp": "", "tc-ingress": " --hook tc", "tc-egress": " --hook tc --direction egress"}
    typed = f"'{iface}'" if "*" in iface else iface
    return (
        f"xdpwall attach {typed}{options[place]} "
        f"(REST: PUT /api/v1/interfaces/{quote(iface, safe='*')}/attachments/{place})"
    )


def _meant(iface: str) -> str:
    """What was probably meant by a name that no interface has; nothing where it may be a name."""
    if iface in ("any", "all"):
        return "; a rule without `on` is about every interface"
    if "," in iface:
        return "; several interfaces are a rule each, or a pattern like veth*"
    if iface.endswith("+"):
        return f"; every interface with such a name is {iface[:-1]}*"
    return ""


def _about_rule(
    rule: Rule,
    attachments: Sequence[Attachment],
    interfaces: Collection[str],
    strips: StripsTags,
    at_ports: bool,
) -> list[CauseWords]:
    named = rule.iface if rule.iface is not None else container_use(rule.src)
    iface = named if named and not named.startswith("!") else None
    several = iface is not None and is_pattern(iface)
    where = [attachment for attachment in attachments if concerns(rule, attachment)]
    wanted: Place = "tc-egress" if rule.direction == "egress" else "xdp"
    found = [
        _alike(f": no address of {one} is known now, so that it matches nothing")
        for one in containers_named_by(rule)
        if ADDRESS_OF + one not in interfaces
    ]
    if iface and several and not _is_there(iface, interfaces):
        why = _NOBODY_ASKS if is_of_container(iface) and CONTAINER not in interfaces else ""
        found.append(_alike(f": {iface} matches no interface now{why}"))
    elif iface and not several and iface not in interfaces:
        found.append(_alike(f": the interface {iface} does not exist (yet){_meant(iface)}"))
    elif not where:
        place = "to " + ("any " * several + iface if iface else "any interface that {} about")
        call = attach_command(iface or "IFACE", wanted)
        found.append(
            CauseWords(
                f": nothing is attached {place.format('it is')}, it sees no packet until: {call}",
                f": nothing is attached {place.format('they are')}, they see no packet until: "
                f"{call}",
            )
        )
    elif rule.direction and not any(attachment.direction == rule.direction for attachment in where):
        names = first_few(list(dict.fromkeys(attachment.words for attachment in where)), NAMED)
        call = attach_command(iface or where[0].iface, wanted)
        rest = f" about {rule.direction}, which {names} cannot see; this does: {call}"
        found.append(CauseWords(f" is{rest}", f" are{rest}"))
    elif iface and not several and where[0].kind == "bridge":
        found += _about_bridge(rule, where, at_ports)
    return [*found, *_about_vlan(rule, attachments, strips), *about_length(rule, attachments)]


_NOBODY_ASKS = ", since nobody asks a container engine: it waits for `systemctl enable --now xdpwall-containers`"


def _is_there(selector: str, interfaces: Collection[str]) -> bool:
    if is_relation(selector):
        return selector in interfaces
    return any(matches(selector, name, None) for name in interfaces if not is_relation(name))


def _alike(words: str) -> CauseWords:
    return CauseWords(words, words)


def _about_bridge(
    rule: Rule, attachments: Sequence[Attachment], at_ports: bool
) -> list[CauseWords]:
    """`at_ports`: whether the same is said of the bridge's ports."""
    _, blind, _ = coverage("bridge", attachments)
    left = [one for one in blind if not (at_ports and one.startswith(BETWEEN))]
    if rule.direction or not left:
        return []
    where, rest = f" on the bridge {attachments[0].iface}", f" not see: {'; '.join(left)}"
    return [CauseWords(f"{where} does{rest}", f"{where} do{rest}")]


def _is_at_ports(rule: Rule) -> bool:
    return rule.enabled and rule.iface is not None and rule.iface.startswith(PORTS)


def _of_bridge(rule: Rule) -> Rule:
    """A rule on a bridge's ports as it would be on the bridge."""
    assert rule.iface is not None
    return _alone(rule.model_copy(update={"iface": rule.iface.removeprefix(PORTS)}))


def _alone(rule: Rule) -> Rule:
    """A rule without what says nothing of its packets."""
    return rule.model_copy(update={"id": None, "comment": None, "log": False, "expires": None})
