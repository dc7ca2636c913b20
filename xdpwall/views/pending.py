"""The change that waits for its confirmation."""

from __future__ import annotations

from .base import View


class PendingView(View):
    """A change that is in force, and is taken back by the kernel unless it is confirmed in time."""

    revision: int
    action: str
    seconds: int
    """How long it waits altogether."""
    seconds_left: int
    until: str
    """The deadline by this host's clock."""


class PendingOutcome(View):
    """The answer to a confirmation or a cancellation."""

    revision: int
    """In force from now on."""
    confirmed: bool
