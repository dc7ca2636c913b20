"""The control word, which every packet reads once, and beside it the floor of features and the muted
attachments.

They are words of the map `control` (bpf/abi.h). `off` and `on` change their bit of the control word
without the instance's lock, so whoever changes another part of it exchanges the word by comparison.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.abi import ATTACHMENTS, CONTROL_MUTES, Feature
from xdpwall.kernel.bpf import atomic_words

from .switch import Switch

if TYPE_CHECKING:
    from xdpwall.kernel.bpf.maps import Map
    from xdpwall.views.events import EventSettings

    from .event_maps import EventMaps
    from .trace_taps import TapMaps

_FEATURES = 8
"""The byte offset of the second word."""


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
        return Feature(atomic_words.load_u64(self._memory, _FEATURES))

    def store_features(self, features: Feature) -> None:
        """Record the features that every program in place has, or is about to be left with."""
        atomic_words.store_u64(self._memory, _FEATURES, int(features))

    def activate_idle_copy(self, revision: int, *, logging: bool) -> None:
        """Switch every attachment to the idle copy, which holds `revision`. `logging`: some rule of
        it has `log`."""
        idle, events = 1 - self.read().copy, self._events.needed(logging=logging)
        self._update(lambda now: replace(now, copy=idle, revision=revision, events=events))

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
        atomic_words.store_u64(self._memory, _mute_word(number), program_id)
        self._update(lambda now: replace(now, muted=True))

    def unmute(self, number: int) -> None:
        """Let the attachment number be used again: the program that had it is gone."""
        atomic_words.store_u64(self._memory, _mute_word(number), 0)
        self._update(lambda now: replace(now, muted=bool(self.muted())))

    def muted(self) -> dict[int, int]:
        """The muted attachments: number -> id of the program."""
        found = {
            number: atomic_words.load_u64(self._memory, _mute_word(number))
            for number in range(ATTACHMENTS)
        }
        return {number: program_id for number, program_id in found.items() if program_id}


def _mute_word(number: int) -> int:
    return 8 * (CONTROL_MUTES + number)
