"""A ruleset with ids, ranks and slots, as revisions have it, and the difference between two."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from xdpwall.errors import NotFound
from xdpwall.rule.rule import Rule
from xdpwall.sets.names import SetRow

from .flow_timeouts import FlowTimeouts
from .index import EntryIndex, RuleEntry, with_ids
from .index import rank_of as _rank
from .order import longest_increasing
from .policy import Policy


@dataclass(frozen=True, slots=True)
class Step:
    """The edit that led from one committed ruleset to the next."""

    since: tuple[RuleEntry, ...]
    """The entries before."""
    at: int
    """Index in `since` at which `gone` was replaced by `come`."""
    gone: tuple[RuleEntry, ...]
    come: tuple[RuleEntry, ...]


@dataclass(frozen=True, slots=True)
class CommittedRuleset:
    """A revision of the ruleset, committed or about to be: `entries` in the order of matching."""

    revision: int = 0
    policy: Policy = field(default_factory=Policy)
    entries: tuple[RuleEntry, ...] = ()
    next_number: int = 1
    sets: tuple[SetRow, ...] = ()
    """By name."""
    timeouts: FlowTimeouts = field(default_factory=FlowTimeouts)
    step: Step | None = field(default=None, compare=False, repr=False)
    """None when it was read from the disk."""
    _index: list[EntryIndex] = field(default_factory=list, compare=False, repr=False)

    @property
    def index(self) -> EntryIndex:
        """The entries by what they are looked up by; made once."""
        if not self._index:
            self._index.append(EntryIndex.of(self.entries))
        return self._index[0]

    def by_id(self) -> Mapping[str, RuleEntry]:
        """The entries by rule id."""
        return self.index.by_id

    def place(self, entry: RuleEntry) -> int:
        """Index of an entry in `entries`."""
        return bisect_left(self.entries, entry.rank, key=_rank)

    def same_as(self, other: CommittedRuleset) -> bool:
        """Whether policy, timeouts, sets and entries are equal; the revision may differ."""
        if self.policy != other.policy or self.sets != other.sets:
            return False
        if self.timeouts != other.timeouts:
            return False
        if len(self.entries) != len(other.entries):
            return False
        if self.step is not None and self.step.since is other.entries:
            return self.step.gone == self.step.come
        return self.entries == other.entries

    def kernel_rules(self) -> list[tuple[Rule, int]]:
        """(rule, slot) of the enabled rules in order, for the compiler."""
        return [(entry.rule, entry.slot) for entry in self.entries if entry.rule.enabled]


@dataclass(frozen=True, slots=True)
class Diff:
    """Rule ids by what happens to them; a rule that changes and moves is in both lists."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    moved: list[str]
    kept: int
    policy_changed: bool
    timeouts_changed: bool


def find_rule(ruleset: CommittedRuleset, rule_id: str) -> RuleEntry:
    """Return the entry of a rule. NotFound when there is no such id."""
    found = ruleset.by_id().get(rule_id)
    if found is None:
        raise _unknown([rule_id])
    return found


def diff(old: CommittedRuleset, new: CommittedRuleset) -> Diff:
    """Compare two rulesets. `moved` has the fewest rules that explain the new order."""
    before, after = with_ids(old.entries), with_ids(new.entries)
    place = {rule_id: index for index, rule_id in enumerate(before)}
    common = [rule_id for rule_id in after if rule_id in before]
    still = {common[i] for i in longest_increasing([place[rule_id] for rule_id in common])}
    changed = [rule_id for rule_id in common if before[rule_id].rule != after[rule_id].rule]
    return Diff(
        added=[rule_id for rule_id in after if rule_id not in before],
        removed=[rule_id for rule_id in before if rule_id not in after],
        changed=changed,
        moved=[rule_id for rule_id in common if rule_id not in still],
        kept=len(still.difference(changed)),
        policy_changed=old.policy != new.policy,
        timeouts_changed=old.timeouts != new.timeouts,
    )


def new_slots(old: CommittedRuleset, new: CommittedRuleset) -> list[int]:
    """Slots that `new` uses and `old` does not; their counters are zeroed before the switch."""
    used, step = old.index.used, new.step
    come = step.come if step is not None and step.since is old.entries else new.entries
    return [entry.slot for entry in come if not used[entry.slot]]


def check_rules_known(ruleset: CommittedRuleset, rule_ids: Collection[str]) -> None:
    known = ruleset.by_id()
    if missing := [rule_id for rule_id in rule_ids if rule_id not in known]:
        raise _unknown(missing)


def _unknown(missing: Sequence[str]) -> NotFound:
    names = ", ".join(repr(rule_id) for rule_id in missing)
    return NotFound(
        f"no rule with the id {names}" if len(missing) == 1 else f"no rules with the ids {names}",
        field="id",
        value=missing[0] if len(missing) == 1 else list(missing),
        hint="see the ids with: xdpwall rule list",
    )
