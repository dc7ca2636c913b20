"""Transactions on an instance, in which disk and kernel agree and no change is half done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xdpwall.errors import ANOTHER_STATE, OTHER_NAMESPACE, Conflict, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.instance.namespace import boot_id, netns_exists
from xdpwall.instance.wanted_names import publish_wanted
from xdpwall.store.records import Binding, Snapshot, Unconfirmed


@contextmanager
def reading(instance: Instance, *, blind: bool = False) -> Iterator[Snapshot]:
    """Read what is committed, after finishing a change that a dead process left.

    Where neither the database nor its second copy can be read, its error; so where a change that the
    kernel took back at its deadline cannot be taken back on disk. `blind`: go on, with a snapshot that
    says nothing, or has that change."""
    with instance.lock.threads:
        instance.drop_replaced()
        if not instance.lock.held:
            instance.clock.look()
        snapshot = instance.store.read()
        if instance.store.is_blank and not blind and (fault := instance.store.fault()):
            raise fault
        _check_binding(instance, snapshot.binding)
        outdated = instance.clock.kept and instance.clock.outdated
        unsettled = snapshot.unfinished or instance.attacher.stand_ins.indexes()
        if unsettled or outdated or _is_over(instance, snapshot):
            # A process is in the middle of a change, or died there: the lock tells which. Or
            # somebody has set the clock, and endings in the kernel are wrong.
            failed: XdpwallError | None = None
            with instance.lock.attempt() as got:
                try:
                    if got:
                        _recover(instance)
                except XdpwallError as error:
                    failed = error
            snapshot = instance.store.read()
            if failed and not blind and _is_over(instance, snapshot) and instance.dataplane():
                # What the disk knows last is not in force, and cannot be made to say so.
                raise failed
        yield snapshot


@contextmanager
def writing(
    instance: Instance,
    *,
    in_need: bool = False,
    renew: bool = False,
    adopt: bool = False,
    while_waiting: bool = False,
    seconds: float | None = None,
) -> Iterator[Snapshot]:
    """Hold the instance's lock as its only writer, after recovery.

    `in_need`: go on when recovery fails, to take away what would stay. `renew`: pin maps again, and
    give up those of another version, for restore. `adopt`: go on where the kernel holds what this
    state folder does not know. `while_waiting`: go on while a change waits for its confirmation.
    `seconds`: how long to wait for the lock. Conflict "other-namespace", "another-state" when the
    kernel holds that, "change-pending".
    """
    with holding(instance, seconds):
        instance.notices.clear()
        instance.clock.look()
        fault = instance.fault()
        if fault is not None and not (in_need or adopt):
            raise fault
        netns, cookie = instance.namespace.netns()
        binding, here = instance.store.read().binding, Binding(netns, boot_id(), cookie)
        if binding != here:
            _check_binding(instance, binding)
        try:
            _recover(instance, renew)
            if binding != here:
                instance.store.bind(here)
        except XdpwallError as error:
            if not (in_need or adopt and error.code == ANOTHER_STATE):
                raise
        snapshot = instance.store.read()
        if snapshot.unconfirmed is not None and not (in_need or while_waiting):
            raise _change_pending(instance, snapshot.unconfirmed)
        yield snapshot


def _is_over(instance: Instance, snapshot: Snapshot) -> bool:
    """Whether the kernel has reverted or kept a change that the disk knows as unconfirmed."""
    if snapshot.unconfirmed is None:
        return False
    dataplane = instance.dataplane()
    left = None if dataplane is None else dataplane.control.seconds_left()
    return left is None or left <= 0


def _change_pending(instance: Instance, waits: Unconfirmed) -> Conflict:
    from .confirm import change_pending

    dataplane = instance.dataplane()
    return change_pending(waits, None if dataplane is None else dataplane.control.seconds_left())


@contextmanager
def mending(instance: Instance) -> Iterator[XdpwallError | None]:
    """Hold the lock, made anew where its file was taken away, to put the state folder right; gives what is
    wrong with it. Conflict "other-namespace"."""
    if instance.lock.was_moved:
        instance.lock.reopen()
    with holding(instance):
        _check_binding(instance, instance.store.read().binding)
        yield instance.store.fault()


@contextmanager
def holding(instance: Instance, seconds: float | None = None) -> Iterator[None]:
    """Hold the lock, and read the store as its only writer; `seconds` is how long to wait for it."""
    store = instance.store  # makes the folder, in which the lock is
    with instance.lock.hold(seconds):
        # First: the store may fall back on its second copy.
        store.examine()
        with store.alone():
            # Before it, too: a restore's own interfaces are there, and others may appear meanwhile.
            publish_wanted(instance)
            try:
                yield
            finally:
                publish_wanted(instance)


def _recover(instance: Instance, renew: bool = False) -> None:
    # Imported here, so that reading a store without unfinished changes does not import NumPy.
    from .recovery import recover, renew_maps

    if renew:
        renew_maps(instance)
    recover(instance)


def check_namespace(instance: Instance) -> None:
    """Raise Conflict "other-namespace" when the disk says that the instance belongs to another one."""
    with instance.lock.threads:
        _check_binding(instance, instance.store.read().binding)


def _check_binding(instance: Instance, binding: Binding | None) -> None:
    """Raise Conflict when the instance is bound, in this boot, to another existing namespace."""
    if binding is None or binding.boot_id != boot_id():
        return
    here, cookie = instance.namespace.netns()
    if binding.cookie in (0, cookie) and binding.netns == here:
        return
    if not netns_exists(binding.netns, binding.cookie):
        return
    raise Conflict(
        f"this instance ({instance.settings.state_dir}) belongs to the network namespace "
        f"{binding.netns}, and this is {here}",
        code=OTHER_NAMESPACE,
        hint="run the command in that namespace (nsenter --net=...), or give this one an "
        "instance of its own: --state-dir DIR --bpffs DIR --socket PATH",
    )
