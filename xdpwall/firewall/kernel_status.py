"""`status` where the state folder cannot be read, or the maps are of another version: by the kernel alone."""

from __future__ import annotations

import socket

from xdpwall import abi
from xdpwall.changes.unrecorded import attachments_in_kernel
from xdpwall.dataplane.percpu_counters import read_totals
from xdpwall.dataplane.single_maps import open_map, open_switch, read_policy
from xdpwall.errors import XdpwallError
from xdpwall.instance import namespace
from xdpwall.instance.instance import Instance
from xdpwall.values.switched_off import SWITCHED_OFF
from xdpwall.version import __version__
from xdpwall.views.attachments import AttachmentView, InterfaceView
from xdpwall.views.status import KernelView, Status

from .attachment_views import attachment_views, attachment_warnings, interface_views


def kernel_status(instance: Instance, why: XdpwallError, *, service: bool) -> Status:
    """The answer to `status` without what only the disk knows; `why` it is so is its first warning."""
    folder = instance.settings.bpffs
    views = kernel_attachments(instance)
    with open_switch(folder) as switch:
        control = None if switch is None else switch.in_force()
        left = None if switch is None else switch.seconds_left()
    policy = None if control is None else read_policy(folder, control.copy)
    warnings = [f"{why.message}: this is what the kernel tells; rules are not known"]
    if control is not None and not control.on:
        warnings.append(SWITCHED_OFF)
    if control is not None and control.pending and left is not None:
        warnings.append(
            f"revision {control.revision} waits for its confirmation: the kernel takes it back in "
            f"{max(0, round(left))} s"
        )
    others = [view for view in interface_views(instance.attacher, views) if view.others]
    return Status(
        version=__version__,
        host=socket.gethostname(),
        revision=0 if control is None else control.revision,
        on=control is None or control.on,
        rules=None,
        enabled_rules=None,
        policy=policy,
        attachments=views,
        others=others,
        warnings=[*warnings, *attachment_warnings(views)],
        state_dir=str(instance.settings.state_dir),
        bpffs=str(folder),
        netns=namespace.netns_inode(),
        service=service,
        kernel=None
        if control is None or policy is None
        else KernelView(revision=control.revision, policy=policy),
    )


def kernel_interfaces(instance: Instance) -> list[InterfaceView]:
    """Every interface, with the attachments that the kernel tells of."""
    return interface_views(instance.attacher, kernel_attachments(instance))


def kernel_attachments(instance: Instance) -> list[AttachmentView]:
    """The attachments as the kernel has them, with their totals where the maps are of this version."""
    rows = attachments_in_kernel(instance)
    views = attachment_views(instance.attacher, None, rows)
    table = open_map(instance.settings.bpffs, "totals")
    if table is None:
        return views
    with table:
        if not rows or table.info.value_size != abi.TOTALS.itemsize:
            return views
        totals = read_totals(table, [row.number for row in rows])
    return [
        view.model_copy(update={"totals": one}) for view, one in zip(views, totals, strict=True)
    ]
