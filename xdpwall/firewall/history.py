"""The facade's methods about revisions, which Firewall inherits: differences, history, rollback."""

from __future__ import annotations

import pwd
from contextlib import suppress
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from xdpwall.attach.flow_warnings import policy_warnings
from xdpwall.attach.warnings import expired_warnings
from xdpwall.changes.difference import planned_difference, ruleset_difference
from xdpwall.changes.rollback import plan_rollback, roll_back
from xdpwall.changes.transactions import reading, writing
from xdpwall.values.author import Author
from xdpwall.views.history import (
    AuditLine,
    AuditTrailView,
    History,
    RevisionView,
    RollbackOutcome,
    RulesetDifference,
)

from .pending import PendingMethods, pending_now
from .real_names import ruleset_with_real_names

if TYPE_CHECKING:
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.store.history import RecordedRevision
    from xdpwall.store.records import Snapshot

_ANYONE = Author()


class HistoryMethods(PendingMethods):
    """Reads and takes back the revisions of `_instance`."""

    def diff(self, ruleset: Ruleset) -> RulesetDifference:
        """What applying a ruleset would change."""
        wanted, _ = ruleset_with_real_names(ruleset)
        with reading(self._instance):
            return planned_difference(self._instance, wanted)

    def history(
        self,
        *,
        limit: int = 20,
        before: int | None = None,
        since: str | None = None,
        diff: bool = False,
    ) -> History:
        """Revisions that are kept, newest first."""
        with reading(self._instance) as now:
            store = self._instance.store
            found = store.history.newest(limit + 1, before=before, since=since)
            shown, oldest = found[:limit], store.history.oldest()
            differences = self._differences(shown) if diff else {}
            return History(
                revisions=[_revision_view(one, now, differences.get(one.number)) for one in shown],
                more=len(found) > limit,
                oldest=None if oldest is None else oldest - 1,
            )

    def _differences(self, shown: list[RecordedRevision]) -> dict[int, RulesetDifference]:
        """By revision: what it changed."""
        if not shown:
            return {}
        wanted, found = {one.number for one in shown}, {}
        for after, before in pairwise(self._instance.store.history.rulesets()):
            if after.revision in wanted:
                found[after.revision] = ruleset_difference(before, after)
            if before.revision < shown[-1].number:
                break
        return found

    def audit_trail(
        self, *, limit: int = 20, before: int | None = None, since: str | None = None
    ) -> AuditTrailView:
        """Entries of the audit trail, newest first."""
        with reading(self._instance):
            rows = self._instance.store.audit.listed(limit + 1, before=before, since=since)
        return AuditTrailView(
            entries=[
                AuditLine(
                    number=number,
                    time=entry.time,
                    **_who(entry.author, entry.via),
                    action=entry.action,
                    message=entry.message,
                    revision=revision,
                )
                for number, entry, revision in islice(rows, limit)
            ],
            more=len(rows) > limit,
        )

    def rollback(
        self,
        revision: int | None = None,
        *,
        allow_empty: bool = False,
        dry_run: bool = False,
        by: Author = _ANYONE,
    ) -> RollbackOutcome:
        """Cancel the change that waits (`revision`: None, its own or the one before); where none waits,
        put an older revision's ruleset in force, None for the one before."""
        with self._instance.lock.threads:
            asked = self._instance.store.read().unconfirmed
        with writing(self._instance, while_waiting=True) as now:
            waits, there = now.unconfirmed, now.ruleset.revision
        if waits is not None and revision in (None, waits.revision, waits.revision - 1):
            done = there if dry_run else self.cancel(waits.revision, by=by).revision
            return RollbackOutcome(
                revision=done, cancelled=True, to=waits.revision - 1, dry_run=dry_run
            )
        if revision is None and asked is not None and there < asked.revision:
            # Its time was over a moment ago: what was meant is done.
            return RollbackOutcome(revision=there, cancelled=True, to=there, dry_run=dry_run)
        with writing(self._instance) as now:
            plan = plan_rollback(self._instance, revision, allow_empty=allow_empty)
            difference = ruleset_difference(now.ruleset, plan.new)
            if not dry_run:
                roll_back(self._instance, plan, by=by)
                self._changed()
            ruleset = self._instance.ruleset
            rules = [entry.rule for entry in plan.new.entries if entry.rule.enabled]
            return RollbackOutcome(
                revision=ruleset.revision,
                cancelled=False,
                to=plan.to,
                changed=not plan.new.same_as(now.ruleset),
                dry_run=dry_run,
                diff=difference,
                pending=pending_now(self._instance),
                warnings=[
                    *([] if dry_run else self._instance.notices),
                    *(f"set {name} was gone: it is made again, empty" for name in plan.made),
                    *(
                        f"set {name} came later and stays, since what it holds would be lost: "
                        f"xdpwall set delete {name}"
                        for name in plan.kept
                    ),
                    *expired_warnings(rules, self._instance.clock.now_text()),
                    *(
                        policy_warnings(plan.new.policy, [one.rule for one in plan.new.entries])
                        if difference.policy
                        else []
                    ),
                ],
            )


def _revision_view(
    one: RecordedRevision, now: Snapshot, diff: RulesetDifference | None
) -> RevisionView:
    return RevisionView(
        revision=one.number,
        time=one.time,
        **_who(one.author, one.via),
        action=one.action,
        message=one.message,
        in_force=one.number == now.ruleset.revision,
        unconfirmed=now.unconfirmed is not None and one.number == now.unconfirmed.revision,
        diff=diff,
    )


def _who(author: str, via: str) -> dict[str, Any]:
    """The fields that say who it was."""
    way, _, address = via.partition(" ")
    return {"author": author, "user": _user(author), "via": way, "address": address or None}


def _user(author: str) -> str | None:
    """The name of "uid 1000" on this host."""
    with suppress(ValueError, KeyError):
        return pwd.getpwuid(int(author.removeprefix("uid "))).pw_name
    return None
