"""The rows of the store as Python values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..ruleset import State
from ..views import Direction, Hook, Mode, Place, WantedMode
from ..views_packets import EventSettings

Intent = Literal["attaching", "attached", "leaving"]


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """One attachment as wanted, and as it was when it was made."""

    iface: str
    place: Place
    index: int
    wanted: WantedMode | None
    """XDP only."""
    number: int
    """In the kernel's totals; stays with the row."""
    since: str
    mode: Mode | None = None
    kind: str | None = None
    """The interface's kind (bridge, veth, ...) when it was attached."""
    intent: Intent = "attached"
    """Anything but "attached" is a change that did not end."""

    @property
    def hook(self) -> Hook:
        """xdp or tc."""
        return "xdp" if self.place == "xdp" else "tc"

    @property
    def direction(self) -> Direction:
        """ingress or egress."""
        return "egress" if self.place == "tc-egress" else "ingress"

    @property
    def words(self) -> str:
        """As answers name it: "docker0 xdp"."""
        return f"{self.iface} {self.place}"


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
    """Everything that is read at one moment."""

    state: State
    attachments: tuple[AttachmentRow, ...]
    on: bool
    binding: Binding | None
    pending: Pending | None
    events: EventSettings = field(default_factory=EventSettings)

    @property
    def unfinished(self) -> bool:
        """Whether a change, of rules or of attachments, did not end."""
        return self.pending is not None or any(row.intent != "attached" for row in self.attachments)
