"""The facade's methods for flows, which Firewall inherits (firewall.py)."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from xdpwall.changes.generations import reload_ruleset
from xdpwall.changes.transactions import reading, writing
from xdpwall.errors import NotFound, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.names import interface_index
from xdpwall.values.author import Author
from xdpwall.values.inputs import invalid
from xdpwall.values.protocols import PROTOCOL_NAMES, PROTOCOLS
from xdpwall.views.flows import (
    ANY_FLOW,
    DEFAULT_PLACES,
    MOST_LISTED,
    FlowCounts,
    FlowFill,
    FlowFilter,
    FlowList,
    FlowsFlushed,
    FlowsSized,
    FlowView,
    check_places,
)

from .flow_makers import FlowMakers

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.flow_table import Family, FlowTable, KernelFlow
    from xdpwall.ruleset.flow_timeouts import FlowTimeouts
    from xdpwall.ruleset.index import RuleEntry
    from xdpwall.store.records import Snapshot
    from xdpwall.values.arrays import Array

_ANYONE = Author()
_ANEW = (
    "the tables were made anew, and empty: TCP of this host is known by its sockets, TCP that it forwards "
    "is picked up when it answers; the next packet of other flows is judged as a first one"
)
_PORTS = (6, 17, 132)
_ECHO = {"ipv4": 1, "ipv6": 58}


class FlowMethods:
    """Lists and ends the flows of an instance. They are no part of a revision."""

    _instance: Instance

    def flows(
        self, wanted: FlowFilter = ANY_FLOW, *, limit: int = 1000, top: bool = False
    ) -> FlowList:
        """Live flows that the filter lets through, at most `limit`; `top`: those with most packets first,
        else as they lie in the table."""
        limit = min(limit, MOST_LISTED)
        with reading(self._instance) as now:
            dataplane = self._instance.dataplane()
            if dataplane is None:
                return FlowList(total=0, fill=FlowFill(), flows=[])
            table, jiffies = _table(dataplane), dataplane.control.jiffies()
            selected = _select(table, wanted, self._instance, now, jiffies)
            views = _Views(FlowMakers(self._instance, now, table.oldest(selected, jiffies)))
            found = [views.view(one) for one in table.read_selected(selected, jiffies, limit, top)]
            total = sum(len(places) for places in selected.values())
            return FlowList(
                total=total, fill=flow_fill(dataplane, now.ruleset.timeouts), flows=found
            )

    def size_flows(self, places: int, *, by: Author = _ANYONE) -> FlowsSized:
        """Give the table of each family so many places, a power of two. More are in force at once, in tables
        that are made anew; fewer when the tables are next made."""
        check_places(places)
        with writing(self._instance) as now:
            action = f"flows size {places}"
            if places != (now.flow_places or DEFAULT_PLACES):
                self._instance.store.set_flow_places(
                    places, by=by, action=action, now=self._instance.clock.now_text()
                )
            dataplane = self._instance.dataplane()
            if dataplane is None or not tracks(dataplane):
                return FlowsSized(places=places, in_force=False)
            before = _table(dataplane).places
            if before < places:
                try:
                    reload_ruleset(self._instance, dataplane)
                except BaseException:
                    with suppress(XdpwallError):
                        self._instance.store.set_flow_places(
                            now.flow_places,
                            by=by,
                            action=f"{action}: not done",
                            now=self._instance.clock.now_text(),
                        )
                    raise
            there = _table(self._instance.dataplane() or dataplane).places
            return FlowsSized(
                places=places,
                in_force=there == places,
                warnings=_size_warnings(places, before),
            )

    def flush_flows(self, wanted: FlowFilter = ANY_FLOW, *, by: Author = _ANYONE) -> FlowsFlushed:
        """End the flows that the filter lets through: their next packet belongs to none."""
        with writing(self._instance) as now:
            dataplane = self._instance.dataplane()
            if dataplane is None:
                return FlowsFlushed(flushed=0)
            from xdpwall.dataplane.flow_table import FAMILIES

            table, jiffies = _table(dataplane), dataplane.control.jiffies()
            if wanted == ANY_FLOW:
                flushed = sum(map(len, table.select(None, jiffies).values()))
                for family in FAMILIES:
                    table.flush(family)
            else:
                selected = _select(table, wanted, self._instance, now, jiffies)
                flushed = sum(table.flush(one, places) for one, places in selected.items())
            said = ", ".join(f"{name} {text}" for name, text in wanted.query().items() if text)
            action = f"flows flush: {flushed} flows{f' ({said})' if said else ''}"
            self._instance.store.note(by=by, action=action, now=self._instance.clock.now_text())
            return FlowsFlushed(flushed=flushed)


def _size_warnings(places: int, before: int) -> list[str]:
    if before == places:
        return []
    words = (
        _ANEW
        if before < places
        else f"the tables in the kernel keep {before:,} places until they are made anew, with a reboot"
    )
    return [words]


def flow_fill(dataplane: Dataplane, timeouts: FlowTimeouts | None = None) -> FlowFill:
    """How full the tables are, and what became of flows; `timeouts` are those in force. Places of flows that are over are cleared on the
    way: whoever asks once in nine hours keeps them from looking alive again (FlowTable.sweep)."""
    table, jiffies = _table(dataplane), dataplane.control.jiffies()
    table.sweep(jiffies)
    counts = table.counts()
    evicted = {
        name.removeprefix("evicted_"): count
        for name, count in counts.items()
        if name.startswith("evicted_")
    }
    return FlowFill(
        tracking=tracks(dataplane),
        size=table.places if tracks(dataplane) else 0,
        ipv4=len(table.live("ipv4", jiffies)),
        ipv6=len(table.live("ipv6", jiffies)),
        counts=FlowCounts(
            made=counts["made"],
            by_socket=counts["by_socket"],
            evicted=evicted,
            lost=counts["lost"],
            invalid=counts["invalid"],
        ),
        timeouts={} if timeouts is None else timeouts.to_json(),
    )


def living_flows(instance: Instance, now: Snapshot, entries: Collection[RuleEntry]) -> list[str]:
    """Warn of the flows that rules made which are to be deleted: they live on."""
    keeping = [entry.id for entry in entries if entry.rule.keep]
    dataplane = instance.dataplane() if keeping else None
    if dataplane is None:
        return []
    from xdpwall.dataplane.flow_table import WantedFlows

    table, jiffies = _table(dataplane), dataplane.control.jiffies()
    everything = table.oldest(table.select(None, jiffies), jiffies)
    makers = FlowMakers(instance, now, everything)
    wanted = tuple(span for one in keeping for span in makers.flows_of(one))
    count = sum(map(len, table.select(WantedFlows(makers=wanted), jiffies).values()))
    if not count:
        return []
    one, many = ("it", f" --rule {keeping[0]}") if len(entries) == 1 else ("they", "")
    what = (
        f"1 flow that {one} made lives" if count == 1 else f"{count:,} flows that {one} made live"
    )
    return [
        f"{what} on, and stay{'s' * (count == 1)} established for rules with `state`: xdpwall flows flush{many} ends flows"
    ]


def tracks(dataplane: Dataplane) -> bool:
    """Whether the programs in place have flows."""
    from xdpwall.abi import Feature  # NumPy

    return bool(dataplane.control.features & Feature.FLOWS)


def _table(dataplane: Dataplane) -> FlowTable:
    from xdpwall.dataplane.flow_table import FlowTable

    return FlowTable(dataplane.map_set.maps)


def _select(
    table: FlowTable, wanted: FlowFilter, instance: Instance, now: Snapshot, jiffies: int
) -> dict[Family, Array]:
    """The places of the live flows that the filter lets through, by family."""
    from xdpwall.dataplane.flow_table import WantedFlows

    makers = None
    if wanted.rule is not None:
        oldest = None
        if wanted.rule in now.ruleset.by_id():
            oldest = table.oldest(table.select(None, jiffies), jiffies)
        makers = FlowMakers(instance, now, oldest).flows_of(wanted.rule)
        if not makers:
            raise NotFound(
                f"no rule {wanted.rule!r}, nor was there one as far as the history goes",
                field="rule",
                value=wanted.rule,
            )
    proto = wanted.proto
    origin = None if wanted.src is None else ip_network(wanted.src)
    reply = None if wanted.dst is None else ip_network(wanted.dst)
    zones = {zone for zone in (_zone_of("from", origin), _zone_of("to", reply)) if zone is not None}
    if len(zones) > 1:
        return {}
    kernel = WantedFlows(
        proto=None if proto is None else PROTOCOLS[proto] if isinstance(proto, str) else proto,
        origin=origin,
        reply=reply,
        port=wanted.port,
        zone=zones.pop() if zones else None,
        state=wanted.state,
        makers=makers,
    )
    return table.select(kernel, jiffies)


def _zone_of(field: str, prefix: IPv4Network | IPv6Network | None) -> int | None:
    """The number of the interface in a prefix like fe80::1%eth0; of one that is gone, as flows are listed:
    fe80::1%#3."""
    name = prefix.network_address.scope_id if isinstance(prefix, IPv6Network) else None
    if name is None:
        return None
    indexes = {text: index for index, text in interface_index()}
    if name in indexes:
        return indexes[name]
    if name.startswith("#") and name[1:].isdecimal():
        return int(name[1:])
    raise invalid(
        field, str(prefix), f"is on {name}, and there is no such interface", "one that exists"
    )


class _Views:
    """Flows as views: with names of rules and interfaces."""

    def __init__(self, makers: FlowMakers) -> None:
        self._makers = makers
        self._interfaces: dict[int, str] | None = None

    def view(self, flow: KernelFlow) -> FlowView:
        echo = flow.proto == _ECHO[flow.family]
        ports = flow.proto in _PORTS
        return FlowView(
            family=flow.family,
            proto=PROTOCOL_NAMES.get(flow.proto, flow.proto),
            src=str(flow.origin[0]),
            sport=flow.origin[1] if ports else None,
            dst=str(flow.reply[0]),
            dport=flow.reply[1] if ports else None,
            ident=flow.origin[1] or flow.reply[1] if echo else None,
            state=flow.state,
            assured=flow.assured,
            age=None if flow.age is None else round(flow.age),
            expires=round(flow.expires),
            packets=flow.packets,
            rule=None if flow.slot is None else self._makers.rule_of(flow.slot, flow.age),
            iface=self._iface(flow.zone) if flow.zone else None,
        )

    def _iface(self, index: int) -> str:
        if self._interfaces is None:
            self._interfaces = dict(interface_index())
        return self._interfaces.get(index, f"#{index}")
