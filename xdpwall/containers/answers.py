"""Turn an engine's answers into containers and networks. What does not look like one is left out and said.

Names are for people and rules: only those that the engine itself would accept are taken, so that no
escape of a terminal, no blank and no separator comes along.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xdpwall.values.inputs import printable
from xdpwall.views.containers import Container, ContainerNetwork, EngineNetwork, PublishedPort

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
"""Docker's own pattern of container and network names (daemon/names/names.go), with an end."""
_ID = re.compile(r"[0-9a-f]{64}")
_BRIDGE = re.compile(r"[^\s/:]{1,15}")
MOST = 10_000
"""Containers and networks that are taken."""
_LABELS, _LABEL_LENGTH = 64, 256
_IMAGE_LENGTH = 256
_BRIDGE_OPTION = "com.docker.network.bridge.name"
_NAMED_PROBLEMS = 20


class Unreadable(ValueError):
    """What is wrong with an answer, in words."""


class Problems(list[str]):
    """What was left out; the first ones in words, the others counted by the caller."""

    def add(self, words: str) -> None:
        """Note one, printable, once there are not too many."""
        if len(self) < _NAMED_PROBLEMS:
            self.append(printable(words)[:300])


def container_ids(answer: Any) -> list[str]:
    """The ids of /containers/json; Unreadable."""
    rows = _list(answer, "/containers/json")
    if len(rows) > MOST:
        raise Unreadable(f"{len(rows):,} containers, more than {MOST:,}")
    return [_id(_mapping(row).get("Id")) for row in rows]


def container(answer: Any) -> Container | None:
    """A container of /containers/ID/json; None for one that does not run. Unreadable."""
    told = _mapping(answer)
    state = _mapping(told.get("State"))
    process = state.get("Pid")
    if not isinstance(process, int) or not 0 < process < 1 << 31:
        return None
    config = _mapping(told.get("Config"))
    settings = _mapping(told.get("NetworkSettings"))
    return Container(
        id=_id(told.get("Id")),
        name=_name(str(told.get("Name", "")).removeprefix("/"), "container"),
        image=printable(str(config.get("Image", "")))[:_IMAGE_LENGTH],
        process=process,
        networks=list(_networks_of(settings.get("Networks"))),
        published=sorted(_published(settings.get("Ports")), key=_port_order),
        labels=_labels(config.get("Labels")),
    )


def networks(answer: Any, problems: Problems) -> list[EngineNetwork]:
    """The networks of /networks; one that cannot be read goes to `problems`. Unreadable."""
    found = []
    for row in _list(answer, "/networks")[:MOST]:
        try:
            found.append(_network(_mapping(row)))
        except Unreadable as error:
            problems.add(f"a network is left out: {error}")
    return sorted(found, key=lambda one: one.name)


def _network(told: Mapping[str, Any]) -> EngineNetwork:
    identity, driver = _id(told.get("Id")), str(told.get("Driver", ""))[:64]
    bridge = None
    if driver == "bridge":
        named = _mapping(told.get("Options") or {}).get(_BRIDGE_OPTION) or told.get(
            "network_interface"
        )
        bridge = str(named) if named else f"br-{identity[:12]}"
        if not _BRIDGE.fullmatch(bridge):
            raise Unreadable(f"the bridge's name {bridge!r}")
    return EngineNetwork(
        id=identity,
        name=_name(told.get("Name"), "network"),
        driver=printable(driver),
        bridge=bridge,
    )


def _networks_of(answer: Any) -> Iterator[ContainerNetwork]:
    for name, end in _mapping(answer or {}).items():
        told = _mapping(end)
        yield ContainerNetwork(
            name=_name(name, "network"),
            address=_address(told.get("IPAddress")),
            address6=_address(told.get("GlobalIPv6Address")),
        )


def _published(answer: Any) -> Iterator[PublishedPort]:
    for target, places in _mapping(answer or {}).items():
        number, _, protocol = str(target).partition("/")
        if protocol not in ("tcp", "udp", "sctp"):
            raise Unreadable(f"the port {target!r}")
        for place in _list(places or [], "Ports"):
            told = _mapping(place)
            yield PublishedPort(
                address=_address(told.get("HostIp")) or "0.0.0.0",
                port=_port(told.get("HostPort")),
                protocol=protocol,  # type: ignore[arg-type]  # one of the three
                target=_port(number),
            )


def _port_order(one: PublishedPort) -> tuple[int, str, str]:
    return one.port, one.protocol, one.address


def _labels(answer: Any) -> dict[str, str]:
    found = [
        (printable(str(key))[:_LABEL_LENGTH], printable(str(value))[:_LABEL_LENGTH])
        for key, value in _first(_mapping(answer or {}).items(), _LABELS)
    ]
    return dict(sorted(found))


def _first(items: Iterable[tuple[str, Any]], most: int) -> list[tuple[str, Any]]:
    return list(items)[:most]


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"an object was expected, not {type(value).__name__}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(f"{what}: a list was expected, not {type(value).__name__}")
    return value


def _id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unreadable(f"the id {str(value)[:80]!r}")
    return value


def _name(value: Any, what: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Unreadable(f"the {what} name {str(value)[:80]!r}")
    return value


def _address(value: Any) -> str | None:
    if not value:
        return None
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError as error:
        raise Unreadable(f"the address {str(value)[:80]!r}") from error


def _port(value: Any) -> int:
    text = str(value)
    if not text.isdecimal() or not text.isascii() or not 0 < int(text) < 1 << 16:
        raise Unreadable(f"the port {text[:80]!r}")
    return int(text)
