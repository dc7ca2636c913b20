"""The facade's methods that change rules, which Firewall inherits (firewall.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdpwall.changes.commit import commit
from xdpwall.changes.transactions import writing
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.attachment import check_direction
from xdpwall.ruleset.committed import CommittedRuleset, find_rule
from xdpwall.ruleset.edits import Beside, Where
from xdpwall.store.records import Snapshot
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few
from xdpwall.views.rules import DeleteOutcome, RuleOutcome

from .change_warnings import rule_change_warnings
from .flows import living_flows
from .pending import pending_now
from .reading import ReadMethods
from .real_names import change_with_real_name, with_real_names
from .rule_views import answering_slots, rated_slots

_ANYONE = Author()


class RuleMethods(ReadMethods):
    """Changes the rules of `_instance`."""

    def _changed(self) -> None:
        """Called after a change; Firewall overrides it to wake its background threads."""

    def add_rules(
        self, rules: Sequence[Rule], *, at: Where | None = None, by: Author = _ANYONE
    ) -> RuleOutcome:
        """One commit."""
        rules, said = with_real_names(rules)
        with writing(self._instance) as now:
            self._check_directions(rules, now)
            new = edits.insert_rules(now.ruleset, rules, at=at, now=self._instance.clock.now_text())
            first = _place_of_new(now.ruleset, at)
            ids = [entry.id for entry in new.entries[first : first + len(rules)]]
            return self._commit(new, ids, by, f"add {first_few(ids)}", said)

    def set_rule(
        self, rule_id: str, changes: Mapping[str, Any], *, by: Author = _ANYONE
    ) -> RuleOutcome:
        """Only the named fields change."""
        changes, said = change_with_real_name(changes)
        with writing(self._instance) as now:
            new = edits.change_rule(now.ruleset, rule_id, changes)
            self._check_directions([find_rule(new, rule_id).rule], now)
            return self._commit(new, [rule_id], by, f"set {rule_id}", said)

    def replace_rule(self, rule_id: str, rule: Rule, *, by: Author = _ANYONE) -> RuleOutcome:
        """Another rule under the same id at the same place."""
        (rule,), said = with_real_names([rule])
        with writing(self._instance) as now:
            self._check_directions([rule], now)
            new = edits.replace_rule(now.ruleset, rule_id, rule)
            return self._commit(new, [rule_id], by, f"replace {rule_id}", said)

    def delete_rules(self, rule_ids: Sequence[str], *, by: Author = _ANYONE) -> DeleteOutcome:
        """All of them or none."""
        ids = list(dict.fromkeys(rule_ids))
        with writing(self._instance) as now:
            new = edits.delete_rules(now.ruleset, ids)
            living = living_flows(self._instance, now, [now.ruleset.by_id()[one] for one in ids])
            ruleset = commit(self._instance, new, by=by, action=f"delete {first_few(ids)}")
            self._changed()
            return self._deleted(ruleset, ids, living)

    def flush(self, *, by: Author = _ANYONE) -> DeleteOutcome:
        """No rule is left; the policy stays."""
        with writing(self._instance) as now:
            ids = [entry.id for entry in now.ruleset.entries]
            living = living_flows(self._instance, now, now.ruleset.entries)
            ruleset = commit(
                self._instance, edits.delete_rules(now.ruleset, ids), by=by, action="flush"
            )
            self._changed()
            return self._deleted(ruleset, ids, living)

    def move_rule(self, rule_id: str, position: Where, *, by: Author = _ANYONE) -> RuleOutcome:
        """The place after the move, from 1."""
        with writing(self._instance) as now:
            new = edits.move_rule(now.ruleset, rule_id, position)
            return self._commit(new, [rule_id], by, f"move {rule_id} {_words(position)}")

    def enable_rules(
        self, rule_ids: Sequence[str], enabled: bool, *, by: Author = _ANYONE
    ) -> RuleOutcome:
        """Counters stay."""
        ids = list(dict.fromkeys(rule_ids))
        with writing(self._instance) as now:
            new = edits.enable_rules(now.ruleset, ids, enabled)
            verb = "enable" if enabled else "disable"
            return self._commit(new, ids, by, f"{verb} {first_few(ids)}")

    def reset_counters(
        self, rule_ids: Sequence[str] | None = None, *, by: Author = _ANYONE
    ) -> RuleOutcome:
        """These rules count from 0 again, all of them for None. No revision."""
        with writing(self._instance, while_waiting=True) as now:
            known = now.ruleset.by_id()
            ids = list(known) if rule_ids is None else list(dict.fromkeys(rule_ids))
            entries = [known.get(i) or find_rule(now.ruleset, i) for i in ids]
            dataplane = self._instance.dataplane()
            if dataplane is not None and entries:
                raw = dataplane.counters.read([entry.slot for entry in entries])
                slots = rated_slots(entries) | answering_slots(entries)
                dataplane.map_set.rates.reset(slots.values())
                self._instance.store.set_baselines(
                    dict(zip(ids, raw, strict=True)),
                    by=by,
                    action=f"reset-counters {first_few(ids)}",
                    now=self._instance.clock.now_text(),
                )
            ruleset = self._instance.ruleset
            return RuleOutcome(revision=ruleset.revision, rules=self._views(ruleset, ids))

    def _commit(
        self,
        new: CommittedRuleset,
        ids: Sequence[str],
        by: Author,
        action: str,
        said: Sequence[str] = (),
    ) -> RuleOutcome:
        ruleset = commit(self._instance, new, by=by, action=action)
        self._changed()
        known = ruleset.by_id()
        rules = [known[rule_id].rule for rule_id in ids if known[rule_id].rule.enabled]
        return RuleOutcome(
            revision=ruleset.revision,
            rules=self._views(ruleset, ids),
            warnings=[
                *said,
                *self._instance.notices,
                *rule_change_warnings(self._instance, rules),
            ],
            pending=pending_now(self._instance),
        )

    def _deleted(
        self, ruleset: CommittedRuleset, ids: list[str], living: list[str]
    ) -> DeleteOutcome:
        return DeleteOutcome(
            revision=ruleset.revision,
            deleted=ids,
            pending=pending_now(self._instance),
            warnings=[*self._instance.notices, *living],
        )

    def _check_directions(self, rules: Sequence[Rule], now: Snapshot) -> None:
        specs = [row.spec for row in now.attachments]
        for rule in rules:
            check_direction(rule, specs)


def _place_of_new(before: CommittedRuleset, at: Where | None) -> int:
    """The index of the first rule that insert_rules put there."""
    if at is None:
        return len(before.entries)
    if isinstance(at, Beside):
        return before.place(find_rule(before, at.rule_id)) + (at.where == "after")
    return at - 1


def _words(position: Where) -> str:
    return " ".join(position) if isinstance(position, Beside) else f"to {position}"
