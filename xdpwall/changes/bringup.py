"""Make the data plane when there is none, and fill it from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdpwall.instance.instance import Instance

from .crashpoints import crash_point
from .generations import reload_ruleset
from .programs import reload_programs

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def ensure_loaded(instance: Instance) -> Dataplane:
    """The maps, holding the committed ruleset: made when a reboot (or nobody yet) left none."""
    found = instance.dataplane()
    if found is not None:
        return found
    from xdpwall.dataplane.dataplane import Dataplane

    # The baselines belong to counters that are gone. First this, then the maps: a crash between
    # the two does no harm.
    instance.store.clear_baselines()
    crash_point("restore-cleared")
    made = Dataplane(instance.settings.bpffs)
    made.create()
    made.control.set_events(instance.store.read().events, logging=False)
    instance.use_dataplane(made)
    crash_point("restore-created")
    if not instance.store.read().on:
        made.control.set_switch(False)
    if instance.ruleset.revision:
        load_from_store(instance, made)
    crash_point("restore-loaded")
    return made


def load_from_store(instance: Instance, dataplane: Dataplane) -> None:
    """Put the disk's sets and rules into maps that hold others, or none; only then are programs put
    on them that judge by maps which were unpinned."""
    from .set_kernel import restore_sets

    restore_sets(instance, dataplane)
    reload_ruleset(instance, dataplane)
    if dataplane.map_set.sizes.sets:
        instance.sets.mark_published(dataplane)
    reload_programs(instance, dataplane)
