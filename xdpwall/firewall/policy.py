"""The policy of an instance: changed alone, or with the rules that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from xdpwall.attach.flow_warnings import flow_warnings, policy_warnings
from xdpwall.attach.relations import related
from xdpwall.changes.commit import commit
from xdpwall.changes.transactions import reading, writing
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.attachment import attachment_places
from xdpwall.ruleset.policy import check_policy
from xdpwall.values.author import Author
from xdpwall.views.status import PolicyOutcome

from .change_warnings import policy_change_warnings
from .default_drop import missing_now
from .drop_advice import KNOWN
from .flow_advice import advice_warnings
from .pending import pending_now

if TYPE_CHECKING:
    from xdpwall.instance.instance import Instance

_ANYONE = Author()


class PolicyMethods:
    """The facade's method that changes the policy, which Firewall inherits (firewall.py)."""

    _instance: Instance

    def _changed(self) -> None:
        """Called after a change; Firewall overrides it to wake its background threads."""

    def set_policy(
        self,
        changes: Mapping[str, str],
        *,
        dry_run: bool = False,
        add_missing: bool = False,
        by: Author = _ANYONE,
    ) -> PolicyOutcome:
        """Only the named parts change. What a drop would cost this host is looked up unlocked.

        `add_missing`: the rules, and the policy for egress, that are missing then come with it, behind
        those that are there, in the same commit.
        """
        for name, value in changes.items():
            check_policy(name, value)
        added: list[str] = []
        if add_missing:
            told = self._set_policy(changes, [], dry_run=True, by=by)
            changes, added = {**told.missing_policy, **changes}, told.missing_rules
        done = self._set_policy(changes, added, dry_run=dry_run, by=by)
        return done.model_copy(update={"added_rules": added})

    def _set_policy(
        self, changes: Mapping[str, str], added: list[str], *, dry_run: bool, by: Author
    ) -> PolicyOutcome:
        with (reading if dry_run else writing)(self._instance) as now:
            policy = now.ruleset.policy.model_copy(update=dict(changes))
            ruleset, rows = edits.with_policy(now.ruleset, policy), now.attachments
            new = [Rule.parse(sentence) for sentence in added]
            if new:
                ruleset = edits.insert_rules(
                    ruleset, new, at=None, now=self._instance.clock.now_text()
                )
            if not dry_run:
                words = ", ".join(f"{name} {value}" for name, value in changes.items())
                more = f" with {len(new)} rules" if new else ""
                ruleset = commit(self._instance, ruleset, by=by, action=f"policy {words}{more}")
                self._changed()
            pending = pending_now(self._instance)
            rules = [entry.rule for entry in ruleset.entries]
            said = [
                *flow_warnings(
                    rules, policy, related(rows, rules, self._instance.settings.containers)
                ),
                *policy_change_warnings(self._instance, changes),
            ]
            said = said if dry_run else [*self._instance.notices, *said]
        stricter = {"drop", "judge"}.intersection(changes.values())
        offer, unread = missing_now(
            self._instance,
            policy,
            rules,
            attachment_places(rows) if stricter else (),
            may_keep="egress" not in changes,
        )
        # What the offer mends is said by it.
        stateless = [] if KNOWN in offer.sentences else policy_warnings(policy, rules)
        flows = [] if offer.keeps else advice_warnings(rules, policy)
        return PolicyOutcome(
            revision=now.ruleset.revision if dry_run else ruleset.revision,
            dry_run=dry_run,
            policy=policy,
            pending=pending,
            missing_rules=offer.sentences,
            missing_policy=offer.policy,
            warnings=[*stateless, *said, *flows, *offer.warnings, *unread],
        )
