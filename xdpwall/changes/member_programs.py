"""The programs that interfaces to come will share, loaded before the first of them is there."""

from __future__ import annotations

from xdpwall.instance.instance import Instance

from .bringup import ensure_loaded
from .transactions import writing


def prepare_members(instance: Instance) -> None:
    """Load what is missing for the patterns that are wanted. Takes the lock only where something is."""
    with instance.lock.threads:
        places = {one.place for one in instance.store.read().patterns}
        dataplane = instance.dataplane() if places else None
        if not places or (
            dataplane is not None and all(map(dataplane.programs.is_prepared, places))
        ):
            return
    with writing(instance, while_waiting=True):
        programs = ensure_loaded(instance).programs
        for place in places:
            programs.prepare(place)
