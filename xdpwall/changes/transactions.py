"""Read or write an instance: inside, disk and kernel agree, and nobody sees half a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from xdpwall.errors import Conflict, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.instance.namespace import boot_id, netns_exists
from xdpwall.store.records import Binding, Snapshot


@contextmanager
def reading(instance: Instance) -> Iterator[Snapshot]:
    """Read what is committed, after finishing a change that a dead process left."""
    with instance.lock.threads:
        snapshot = instance.store.read()
        _check_namespace(instance, snapshot.binding)
        if snapshot.unfinished:
            # Somebody is in the middle of a change, or died there: the lock tells which.
            with instance.lock.attempt() as got, suppress(XdpwallError):
                if got:
                    _recover(instance)
            snapshot = instance.store.read()
        yield snapshot


@contextmanager
def writing(
    instance: Instance, *, in_need: bool = False, renew: bool = False
) -> Iterator[Snapshot]:
    """Hold the instance's lock, as its only writer; recover first.

    `in_need` is for the ways out (off, detach), which go on when recovery fails. `renew` is for
    restore: maps that another version laid out are given up. Conflict "other-namespace".
    """
    with instance.lock.hold(), instance.store.alone():
        netns, cookie = instance.namespace.netns()
        binding, here = instance.store.read().binding, Binding(netns, boot_id(), cookie)
        if binding != here:
            _check_namespace(instance, binding)
        try:
            if binding != here:
                instance.store.bind(here)
            _recover(instance, renew)
        except XdpwallError:
            if not in_need:
                raise
        yield instance.store.read()


def _recover(instance: Instance, renew: bool = False) -> None:
    # Imported here: whoever reads a store that nobody left half-way pays nothing for numpy.
    from .recovery import abandon_other_version, recover

    if renew:
        abandon_other_version(instance)
    recover(instance)


def _check_namespace(instance: Instance, binding: Binding | None) -> None:
    """Conflict when the instance is bound to another namespace that still exists, in this boot."""
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
        code="other-namespace",
        hint="run the command in that namespace (nsenter --net=...), or give this one an "
        "instance of its own: --state-dir DIR --bpffs DIR --socket PATH",
    )
