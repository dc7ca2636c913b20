"""The history: entries of the audit trail, revisions, and what differs between two rulesets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xdpwall.ruleset.difference import ChangeKind

from .base import View
from .pending import PendingView


class Change(View):
    """One entry of the audit trail: who did what, and by which way."""

    time: str
    author: str
    """"uid 0", "token", "service", ..."""
    via: str
    """cli, socket, tcp, serve"""
    action: str
    """"add r7", "move r2 to 1", "off", ..."""
    message: str | None = None
    revision: int | None = None


class AuditLine(Change):
    """One entry of the audit trail, as it is listed."""

    number: Annotated[int, Field(description="`before` of the next request")]
    user: str | None = None
    """The name that this host has for the author's uid."""
    address: str | None = None
    """The client's, where it is known."""


class AuditTrailView(View):
    """The audit trail, newest first: also what was refused, failed or taken back."""

    entries: list[AuditLine]
    more: bool
    """Whether there are older ones."""


class RuleDifference(View):
    """One rule of a difference. A rule that changes and moves is `changed`, with both positions."""

    kind: ChangeKind
    id: str
    hunk: int
    """From 1; between two of them are rules that stay as they are."""
    old_position: int | None = None
    position: int | None = None
    old: str | None = None
    """The sentence before; absent where it is the same."""
    text: str | None = None
    """The sentence after."""


class PolicyDifference(View):
    """One field of the policy, or one timeout of flows."""

    field: str
    old: str
    new: str


class SetDifference(View):
    """One set. The history knows no entries: these are no part of a revision."""

    name: str
    kind: Literal["added", "removed", "replaced"]
    old_entries: int | None = None
    entries: int | None = None
    added: int | None = None
    removed: int | None = None
    retimed: int | None = None
    """Entries that stay and end at another time."""
    first_added: list[str] = []
    first_removed: list[str] = []


class AttachmentDifference(View):
    """One attachment."""

    kind: Literal["added", "removed", "changed"]
    attachment: str
    """"docker0 xdp", "eth0 tc-ingress" """
    old_mode: str | None = None
    mode: str | None = None


class RulesetDifference(View):
    """What a ruleset changes; `same` where that is nothing."""

    same: bool
    revision: int
    """What it is compared with."""
    policy: list[PolicyDifference] = []
    timeouts: list[PolicyDifference] = []
    rules: list[RuleDifference] = []
    sets: list[SetDifference] = []
    attachments: list[AttachmentDifference] = []


class RevisionView(View):
    """One committed change of the ruleset."""

    revision: int
    time: str
    author: str
    user: str | None = None
    """The name that this host has for the author's uid."""
    via: str
    address: str | None = None
    """The client's, where it is known."""
    action: str
    message: str | None = None
    in_force: bool = False
    unconfirmed: bool = False
    """In force, and taken back by the kernel unless it is confirmed."""
    diff: RulesetDifference | None = None
    """To the revision before it, where that was asked for."""


class History(View):
    """Revisions, newest first."""

    revisions: list[RevisionView]
    more: bool
    """Whether older ones are kept."""
    oldest: int | None = None
    """The oldest revision that can be rolled back to; absent where there is none."""


class RollbackOutcome(View):
    """The answer to a rollback: a change that waited was cancelled, or an older revision is in force
    again, as a revision of its own."""

    revision: int
    """In force now."""
    cancelled: bool
    """Whether a change that waited for its confirmation was taken back."""
    to: int | None = None
    """The revision whose ruleset is in force now."""
    changed: bool = True
    """False where that ruleset was in force already."""
    dry_run: bool = False
    diff: RulesetDifference | None = None
    """What the rollback changes."""
    pending: PendingView | None = None
    warnings: list[str] = []
