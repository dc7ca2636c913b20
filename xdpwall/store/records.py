"""The state of the store as one value."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.attachment_pattern import AttachmentPattern
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
class Unconfirmed:
    """A change that is in force until its deadline, and for good once it is confirmed."""

    revision: int
    action: str
    seconds: int
    """How long it waits, by the kernel's clock (dataplane/control_word.py)."""
    until: str
    """The deadline by the wall clock, to be shown."""
    coming: tuple[int, ...] = ()
    """Numbers of the attachments that it made."""
    leaving: tuple[int, ...] = ()
    """Numbers of the attachments that it removes when it is confirmed."""
    set_numbers: tuple[int, ...] = ()
    """The sets that the revision before it names."""

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Unconfirmed:
        """From what to_json() wrote. ValueError, TypeError, KeyError for anything else."""
        found = json.loads(text)
        for name in ("coming", "leaving", "set_numbers"):
            found[name] = tuple(int(number) for number in found[name])
        return cls(**found)


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
    unconfirmed: Unconfirmed | None = None
    """The last change, while it waits for its confirmation: `ruleset` has it, unless it is pending."""

    patterns: tuple[AttachmentPattern, ...] = ()
    """Attachments by policy; what they have attached is in `attachments`."""
    flow_places: int = 0
    """Places of a family in the flow table; 0 is the default."""
    given: int = 0
    """The highest number that a revision had which was taken back, 0 for none: not given again."""

    @property
    def unfinished(self) -> bool:
        """Whether a change of rules or attachments was broken off."""
        return self.pending is not None or any(row.intent != "attached" for row in self.attachments)
