"""What a change may drop that passed before: from the rules that differ, without a packet being run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from xdpwall.rule.iface_selector import may_mean
from xdpwall.rule.known_packet import KnownPacket, matches
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.policy import Policy
from xdpwall.ruleset.set_references import sets_named_by

_MOST = 64
"""Rules that packets are compared with; of more, each is run."""
_STRICT = ("drop", "judge")


class Suspects:
    """The matches of rules by which a packet may be dropped now."""

    def __init__(self, matches_of_rules: Sequence[Match] | None) -> None:
        """None: any packet may be."""
        self._matches = matches_of_rules

    def may_drop(self, packets: Iterable[KnownPacket]) -> bool:
        """Whether one of the packets may be dropped now, and was not."""
        if self._matches is None:
            return True
        return any(
            matches(match, packet) is not False for packet in packets for match in self._matches
        )


def suspects_of(
    old: CommittedRuleset, new: CommittedRuleset, judged: Collection[str]
) -> Suspects | None:
    """The suspects of a change; None where it can drop nothing that passed. `judged`: the interfaces with
    attachments."""
    if _stricter(old.policy, new.policy):
        return Suspects(None)
    step = new.step
    if new.entries is old.entries:
        found: list[Rule] = []
    elif step is None or step.since is not old.entries or len(step.gone) + len(step.come) > _MOST:
        return Suspects(None)
    else:
        found = [one.rule for one in step.come if one.rule.action == "drop"]
        found += [one.rule for one in step.gone if one.rule.action == "accept"]
    found += _of_changed_sets(old, new)
    enabled = [match for rule in found if rule.enabled and _is_met(match := match_of(rule), judged)]
    if len(enabled) > _MOST:
        return Suspects(None)
    return Suspects(enabled) if enabled else None


def _is_met(match: Match, judged: Collection[str]) -> bool:
    if match.iface is None or match.iface[0]:
        return True
    return any(may_mean(match.iface[1], name) is not False for name in judged)


def _of_changed_sets(old: CommittedRuleset, new: CommittedRuleset) -> list[Rule]:
    if old.sets == new.sets:
        return []
    had = {row.name: row.number for row in old.sets}
    changed = {row.name for row in new.sets if had.get(row.name) != row.number}
    return [
        entry.rule
        for entry in new.entries
        if changed.intersection(name for _, name in sets_named_by(entry.rule))
    ]


def _stricter(old: Policy, new: Policy) -> bool:
    return any(
        after != before and after in _STRICT
        for before, after in zip(old.to_json().values(), new.to_json().values(), strict=True)
    )
