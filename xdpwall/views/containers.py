"""Containers and their networks, as the engine (Docker, Podman) tells of them."""

from __future__ import annotations

from typing import Literal

from .base import View
from .check import CheckRule


class PublishedPort(View):
    """A port of the host behind which a container listens."""

    address: str
    """Of the host: "0.0.0.0" and "::" are all of its addresses."""
    port: int
    """Of the host."""
    protocol: Literal["tcp", "udp", "sctp"]
    target: int
    """The container's port."""


class ContainerNetwork(View):
    """A container's end in a network."""

    name: str
    address: str | None = None
    address6: str | None = None


class Container(View):
    """A container that runs."""

    id: str
    """64 hexadecimal digits."""
    name: str
    image: str
    process: int
    """The pid of its first process, by which the kernel tells its network namespace."""
    networks: list[ContainerNetwork] = []
    published: list[PublishedPort] = []
    labels: dict[str, str] = {}


class EngineNetwork(View):
    """A network of the engine."""

    id: str
    name: str
    driver: str
    bridge: str | None = None
    """The interface of the host that carries it; None for one that has none."""


class ContainerSnapshot(View):
    """Everything that the engine told at one moment."""

    engine: str
    """The socket that was asked."""
    taken: str
    """When, RFC 3339."""
    complete: bool
    """Whether the engine answers and nothing was left out: else these are the last that it told."""
    problems: list[str] = []
    """What was left out and why, or why the engine does not answer."""
    containers: list[Container] = []
    networks: list[EngineNetwork] = []


class ContainerPort(View):
    """The interface of the host at which a container's network ends."""

    iface: str
    index: int
    bridge: str | None = None
    network: str | None = None


class ContainerView(View):
    """A container and the interfaces of the host that lead to it."""

    container: Container
    ports: list[ContainerPort] = []


class ContainerList(View):
    """GET /containers."""

    engine: str | None = None
    complete: bool
    taken: str | None = None
    problems: list[str] = []
    containers: list[ContainerView] = []
    networks: list[EngineNetwork] = []


class PublishedCover(View):
    """What becomes of those who come from outside to a published port by one interface."""

    container: str
    port: PublishedPort
    iface: str
    verdict: Literal["open", "in part", "closed", "not filtered", "undecided"]
    """Of the first packet of a connection: whether all, some or none pass our program there. "not filtered":
    no program of ours judges what comes in there; "undecided": it took too long to tell."""
    rules: list[CheckRule] = []
    """The rules that decide for some of them, in order."""
    policy: bool = False
    """Whether the ingress policy decides for some."""
    cure: str | None = None
    """The command that would have it filtered, where it is not."""


class PublishedList(View):
    """GET /containers/published."""

    engine: str | None = None
    """None: nobody asks an engine."""
    complete: bool
    problems: list[str] = []
    ports: list[PublishedCover] = []
