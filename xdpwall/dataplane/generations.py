"""The two generations in the kernel: the active copy, which classifies, and the idle one.

A change is written into the idle copy, and a single store makes it the active one. The copy left
behind is written again only after an RCU grace period, when no packet reads it any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xdpwall import abi
from xdpwall.compiler.generation import Generation, Touched
from xdpwall.compiler.sizes import Sizes
from xdpwall.errors import CHANGE_PENDING, Conflict
from xdpwall.kernel.bpf import bpffs

from .control_word import ControlWord, Trial
from .pinned_maps import PinnedMaps
from .program_loader import ProgramLoader


class Generations:
    """Writes generations and switches between them. In order: expect(); growing() or a reload of
    all programs where that is needed; fill(); switch()."""

    def __init__(self, maps: PinnedMaps, control: ControlWord, programs: ProgramLoader) -> None:
        self._maps = maps
        self._control = control
        self._programs = programs
        self._idle_is_unread = False
        self._logging = False
        """Whether a rule of the generation that was written last has `log`."""
        self._written: Generation | None = None
        """The generation in the idle copy, to be switched to."""
        self._written_in_place = False
        """It is the active one, changed in place."""
        self._active: Generation | None = None
        self._idle_missing: Touched | None = None
        """How the idle copy differs from the active one, where that is known."""

    @property
    def active(self) -> Generation | None:
        """The active generation, if this process wrote it. Whoever changes it in place
        (compiler/delta.py) passes it to fill() and then calls switch(), or calls forget_active()."""
        return self._active

    def forget_active(self) -> None:
        """Compile and write the next generation whole: the one in memory may not be the active."""
        self._active, self._idle_missing = None, None

    # -- the grace period ------------------------------------------------------------------------

    def wait_grace_period(self) -> None:
        """Wait until no program reads the copy left behind (8 to 30 ms), unless that is known."""
        if not self._idle_is_unread:
            bpffs.wait_grace_period()
            self._idle_is_unread = True

    def forget_grace_period(self) -> None:
        """Wait again before the next change: another process may have switched."""
        self._idle_is_unread = False

    # -- a change --------------------------------------------------------------------------------

    def expect(self, compiled: Generation) -> None:
        """Widen a generation to the maps' positions, and load programs with its features from now
        on. Waits for a grace period: the idle copy may be written afterwards. Conflict
        "change-pending" while it is a fallback."""
        self._check_idle_is_free()
        self.wait_grace_period()
        positions = self._maps.map_set.sizes.positions
        if compiled.capacity < positions:
            compiled.widen(positions)
        self._programs.wanted |= self._control.features | compiled.features

    def wants_reload(self) -> bool:
        """Whether programs in place may lack a feature of the generation that is expected."""
        return self._programs.wanted != self._control.features

    @contextmanager
    def growing(self, need: Sizes) -> Iterator[None]:
        """Replace the map set by a copy that is large enough; also by one as large. Raises Full.

        The body loads every attachment's program anew, on the copy; no verdict changes. Only then
        is the old map set closed and unpinned: if the body raises, both stay pinned, and the
        recovery before the next change loads the programs and unpins the old.
        """
        self._check_idle_is_free()
        self.wait_grace_period()
        self._programs.drop_explainers()
        outgrown = self._maps.grow(need, self._control.read().copy)
        self._idle_missing = None
        yield
        outgrown.close()
        self._maps.unpin_outgrown()

    @contextmanager
    def rewriting(self, judging: Generation, fallback: Generation, need: Sizes) -> Iterator[None]:
        """Replace the map set by one that has both copies written anew, while a change waits for its
        confirmation: these are its ruleset and the one it may be reverted to, compiled again. `need` is
        what the sets need besides. Raises Full.

        The body is that of growing(), with which a crash ends alike. The control word stays as it is, and
        so does the deadline.
        """
        self.forget_active()
        now, both = self._control.read(), (judging, fallback)
        sizes = self._maps.map_set.sizes
        for one in both:
            sizes = sizes.grown_to(one.needed_sizes)
        for one in both:
            if one.capacity < sizes.positions:
                one.widen(sizes.positions)
            sizes = sizes.grown_to(one.needed_sizes)
            self._programs.wanted |= self._control.features | one.features
        outgrown = self._maps.rewrite(
            sizes.grown_to(need), {now.copy: judging, now.fallback: fallback}
        )
        yield
        self._control.store_features(self._programs.wanted)
        outgrown.close()
        self._maps.unpin_outgrown()
        self.forget_grace_period()

    def fill(self, compiled: Generation) -> None:
        """Write the generation that was expected into the idle copy."""
        if self.wants_reload():
            # Not earlier: by now every program in place has these features.
            self._control.store_features(self._programs.wanted)
        known = compiled is self._active
        missing, self._idle_missing = self._idle_missing, None
        idle = 1 - self._control.read().copy
        if known and missing is not None:
            self._maps.map_set.write_touched(idle, compiled, missing | compiled.touched)
        else:
            self._maps.map_set.write(idle, compiled)
        self._written, self._written_in_place = compiled, known
        self._logging = bool((compiled.rules["action"] & abi.RULE_LOG).any())

    def switch(self, revision: int, *, trial: Trial | None = None) -> None:
        """Make the copy that fill() wrote the active one, for every attachment at once; with `trial`
        until it is confirmed the kernel holds the other one ready."""
        self._control.activate_idle_copy(revision, logging=self._logging, trial=trial)
        self._idle_is_unread = False
        active = self._written
        if active is not None:
            self._idle_missing = active.touched if self._written_in_place else None
            active.touched = Touched()
        self._active, self._written = active, None

    def _check_idle_is_free(self) -> None:
        if self._control.read().pending:
            raise fallback_kept()

    # -- housekeeping ----------------------------------------------------------------------------

    @property
    def has_housekeeping(self) -> bool:
        """Whether sync_idle_copy() or drop_unused_features() would do anything."""
        active = self._active
        if active is None or self._control.read().pending:
            return False
        behind = self._idle_missing is None
        return behind or active.shrunk or active.features != self._control.features

    def sync_idle_copy(self) -> None:
        """Write the active generation into the idle copy, after a grace period, so that the next
        change writes only what it touches."""
        if self._active is None or self._idle_missing is not None or self._control.read().pending:
            return
        self.wait_grace_period()
        self._maps.map_set.write(1 - self._control.read().copy, self._active)
        self._idle_missing = Touched()

    def drop_unused_features(self) -> bool:
        """Load programs with no more features than the active generation has from now on. True when
        all programs in place have to be loaded anew for that.

        Waits for a grace period: packets may be reading the copy left behind, which has more.
        """
        if self._active is None or self._active.features == self._control.features:
            return False
        if self._control.read().pending:  # its fallback may have more
            return False
        self.wait_grace_period()
        self._programs.wanted = self._active.features
        # Before the reload: a program in place may have more features than the floor, never fewer.
        self._control.store_features(self._programs.wanted)
        return True


def fallback_kept() -> Conflict:
    """Make the error of a change that would write the copy to which the kernel may go back."""
    return Conflict(
        "a change waits for its confirmation, and what was in force before it is kept ready",
        code=CHANGE_PENDING,
        hint="xdpwall confirm keeps the change, xdpwall rollback takes it back",
    )
