"""Create the maps when there are none, and load rules and sets from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdpwall.instance.instance import Instance

from .crashpoints import crash_point
from .generations import reload_ruleset
from .ownership import agree_on_identity, new_identity
from .programs import reload_programs

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def ensure_loaded(instance: Instance) -> Dataplane:
    """Return the data plane with the committed ruleset; create it when there are no maps, as after
    a reboot."""
    found = instance.dataplane()
    if found is not None:
        return found
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.kept_maps import has_kept_counters

    # The baselines belong to counters that are gone, unless an upgrade kept them. Before the maps are made,
    # so that a crash between the two does no harm.
    identity = instance.store.read().identity
    kept = has_kept_counters(instance.settings.bpffs, identity)
    instance.store.clear_baselines(new_identity(), counters=not kept)
    crash_point("restore-cleared")
    made = Dataplane(instance.settings.bpffs)
    made.create(identity)
    made.control.set_events(instance.store.read().events, logging=False)
    instance.use_dataplane(made)
    instance.clock.keep(made.clock)
    crash_point("restore-created")
    if not instance.store.read().on:
        made.control.set_switch(False)
    if instance.ruleset.revision:
        load_from_store(instance, made)
    crash_point("restore-loaded")
    # Last: maps without it count as not loaded yet.
    agree_on_identity(instance, made)
    return made


def load_from_store(instance: Instance, dataplane: Dataplane) -> None:
    """Load sets and rules from the store into empty or stale maps.

    Programs are reloaded last: those that still run on unpinned maps filter by the old ruleset
    until the new one is complete.
    """
    fill_from_store(instance, dataplane)
    reload_programs(instance, dataplane)


def fill_from_store(instance: Instance, dataplane: Dataplane) -> None:
    """Write the disk's sets and rules into maps; programs that are on others stay there."""
    instance.clock.keep(dataplane.clock)
    from .set_kernel import restore_sets

    restore_sets(instance, dataplane)
    reload_ruleset(instance, dataplane)
    if dataplane.map_set.sizes.sets:
        instance.sets.mark_published(dataplane)
