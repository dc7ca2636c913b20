"""The control word, which every packet reads once, and beside it the floor of features and the muted
attachments.

They are words of the map `control` (bpf/abi.h). `off` and `on` change their bit of the control word
without the instance's lock, so whoever changes another part of it exchanges the word by comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xdpwall.abi import (
    CONTROL_DEADLINES,
    CONTROL_MUTES,
    CONTROL_PASSING,
    NUMBER_WORDS,
    NUMBERS,
    Feature,
)
from xdpwall.kernel.bpf import atomic_words
from xdpwall.kernel.jiffies import jiffies_per_second

from .switch import Switch

if TYPE_CHECKING:
    from xdpwall.kernel.bpf.maps import Map
    from xdpwall.views.events import EventSettings

    from .event_maps import EventMaps
    from .trace_taps import TapMaps

_FEATURES = 1
"""The number of the word of features."""

CONFIRM_MARGIN = 0.1
"""Seconds before the deadline from which on a change is not confirmed any more."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How long a change waits for its confirmation, and which attachments it makes and removes."""

    seconds: int
    coming: tuple[int, ...] = ()
    """Numbers of attachments that pass all their packets once the change is reverted."""
    leaving: tuple[int, ...] = ()
    """Numbers of attachments that pass all their packets while it waits."""


class ControlWord(Switch):
    """The map `control`, mapped into this process."""

    def __init__(self, table: Map, events: EventMaps, taps: TapMaps) -> None:
        super().__init__(table)
        self._memory = table.mmap()
        self._events = events
        self._taps = taps

    @property
    def features(self) -> Feature:
        """The features that every program in place has, at least."""
        return Feature(self._load(_FEATURES))

    def store_features(self, features: Feature) -> None:
        """Record the features that every program in place has, or is about to be left with."""
        self._store(_FEATURES, int(features))

    def activate_idle_copy(
        self, revision: int, *, logging: bool, trial: Trial | None = None
    ) -> None:
        """Switch every attachment to the idle copy, which holds `revision`. `logging`: some rule of
        it has `log`. With `trial` the copy in force until now is again, by the kernel itself, unless
        the change is confirmed in time."""
        now = self.read()
        idle, events = 1 - now.copy, self._events.needed(logging=logging)
        if trial is not None:
            # No packet reads these words before the control word names them.
            deadline = self.jiffies() + trial.seconds * jiffies_per_second()
            self._store(CONTROL_DEADLINES + idle, deadline)
            self._store_passing(idle, trial.leaving)
            self._store_passing(now.copy, trial.coming)
            events = events or now.events
        self._update(
            lambda word: replace(
                word,
                copy=idle,
                revision=revision,
                events=events,
                pending=trial is not None,
                fallback=now.copy if trial is not None else 0,
            )
        )

    def renumber(self, revision: int) -> None:
        """Give what is in force another revision number."""
        self._update(lambda now: replace(now, revision=revision))

    def confirm(self) -> bool:
        """Let the pending change stay. False, and nothing is done, when its time is over."""
        margin = round(CONFIRM_MARGIN * jiffies_per_second())
        while (now := self.read()).pending:
            deadline = self._load(CONTROL_DEADLINES + now.copy)
            kept = replace(now, pending=False, fallback=0)
            found = self._word.compare_exchange(now.pack(), kept.pack(), before=deadline - margin)
            if found is None:
                return False
        return True

    def revert(self) -> None:
        """Put the fallback of the pending change in force; nothing without one."""
        self._update(lambda now: now.reverted() if now.pending else now)

    def passing(self) -> frozenset[int]:
        """Numbers of the attachments that pass all their packets in what is in force, since a change
        waits or was reverted at its deadline."""
        if not self.read().pending:
            return frozenset()
        first = CONTROL_PASSING + self.in_force().copy * NUMBER_WORDS
        return frozenset(
            64 * word + bit
            for word, bits in self._not_zero(first, NUMBER_WORDS)
            for bit in range(64)
            if bits >> bit & 1
        )

    def _store_passing(self, copy: int, numbers: tuple[int, ...]) -> None:
        words = [0] * NUMBER_WORDS
        for number in numbers:
            words[number // 64] |= 1 << number % 64
        for at, word in enumerate(words):
            self._store(CONTROL_PASSING + copy * NUMBER_WORDS + at, word)

    def jiffies(self) -> int:
        """The kernel's jiffies64 now."""
        return self._word.jiffies()

    def set_events(self, wanted: EventSettings, *, logging: bool) -> None:
        """Change which packets are reported. `logging`: some active rule has `log`."""
        self._events.write(wanted)
        self._report(logging)

    def set_tapped(self, *, logging: bool) -> None:
        """Let programs look at the taps if one is in use, else not. `logging`: some active rule has
        `log`."""
        self._events.set_tapped(bool(self._taps.in_use()))
        self._report(logging)

    def _report(self, logging: bool) -> None:
        events = self._events.needed(logging=logging)
        self._update(lambda now: replace(now, events=events))

    def mute(self, number: int, program_id: int) -> None:
        """Let every packet of that attachment pass, since its program could not be detached."""
        self._store(CONTROL_MUTES + number, program_id)
        self._update(lambda now: replace(now, muted=True))

    def unmute(self, number: int) -> None:
        """Let the attachment number be used again: the program that had it is gone."""
        self._store(CONTROL_MUTES + number, 0)
        self._update(lambda now: replace(now, muted=bool(self.muted())))

    def muted(self) -> dict[int, int]:
        """The muted attachments: number -> id of the program."""
        return dict(self._not_zero(CONTROL_MUTES, NUMBERS))

    def _not_zero(self, first: int, count: int) -> list[tuple[int, int]]:
        """(place from `first` on, value) of each of these words that is not 0."""
        words = self._memory[8 * first : 8 * (first + count)].cast("Q")
        return [(at, value) for at, value in enumerate(words) if value] if any(words) else []

    def _load(self, word: int) -> int:
        return atomic_words.load_u64(self._memory, 8 * word)

    def _store(self, word: int, value: int) -> None:
        atomic_words.store_u64(self._memory, 8 * word, value)
