"""The state of the store as one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.views.events import EventSettings


@dataclass(frozen=True, slots=True)
class Binding:
    """The namespace and the boot that an instance belongs to."""

    netns: int
    boot_id: str
    cookie: int = 0
    """The kernel's own number of the namespace, never given twice in a boot; inodes are."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that was recorded and not yet marked committed."""

    revision: int
    action: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state at one moment, but for the entries of sets."""

    ruleset: CommittedRuleset
    attachments: tuple[Attachment, ...]
    on: bool
    binding: Binding | None
    pending: Pending | None
    events: EventSettings = field(default_factory=EventSettings)
    identity: str | None = None
    """The instance's id, 32 hexadecimal digits; None before the first change."""

    @property
    def unfinished(self) -> bool:
        """Whether a change of rules or attachments was broken off."""
        return self.pending is not None or any(row.intent != "attached" for row in self.attachments)
