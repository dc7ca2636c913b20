"""What a detach means for flows: the direction that made them may be gone, or nothing sees them any more."""

from __future__ import annotations

from collections.abc import Collection

from xdpwall.attach.flow_warnings import flow_warnings
from xdpwall.attach.relations import related
from xdpwall.instance.instance import Instance


def what_flows_lose(instance: Instance, ifaces: Collection[str]) -> list[str]:
    """Warn of these interfaces, of which something was detached, where one direction is left and rules ask
    for flows. Called with the lock held."""
    now = instance.store.read()
    left = [row for row in now.attachments if row.iface in ifaces]
    rules = [entry.rule for entry in now.ruleset.entries]
    if not left:
        return []
    rows = related(left, rules, instance.settings.containers)
    return flow_warnings(rules, now.ruleset.policy, rows)


def empty_flows(instance: Instance) -> None:
    """Forget all flows when nothing is attached: what passes from now on is not seen, so that none of them
    can be told from one that has ended. Called with the lock held."""
    dataplane = None if instance.attachments else instance.dataplane()
    if dataplane is None:
        return
    from xdpwall.dataplane.flow_table import FAMILIES, FlowTable  # NumPy

    table = FlowTable(dataplane.map_set.maps)
    for family in FAMILIES:
        table.flush(family)
