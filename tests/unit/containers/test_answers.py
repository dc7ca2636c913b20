"""What an engine answers, and what a hostile one could."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.net.engine import ID, NETWORK
from tests.support.net.engine import container as told
from xdpwall.containers.answers import (
    MOST,
    Problems,
    Unreadable,
    container,
    container_ids,
    networks,
)


def test_a_container_is_read() -> None:
    found = container(told())
    assert found is not None
    assert (found.id, found.name, found.image, found.process) == (ID, "web", "web:1", 1)
    (end,) = found.networks
    assert (end.name, end.address, end.address6) == ("bridge", "172.17.0.2", None)
    (port,) = found.published
    assert (port.address, port.port, port.protocol, port.target) == ("0.0.0.0", 8080, "tcp", 80)
    assert found.labels == {"tier": "front"}


@pytest.mark.parametrize("state", [{}, {"Pid": 0}, {"Pid": -3}, {"Pid": "1"}, {"Pid": 1 << 40}])
def test_what_does_not_run_is_no_container(state: dict[str, Any]) -> None:
    assert container(told(State=state)) is None


@pytest.mark.parametrize(
    "name",
    ["", "/", "/a b", "/\x1b[31mred", "/a/b", "/web:1", "/../x", "/" + "a" * 129, "/-x", "/w\n"],
)
def test_names_that_no_engine_gives_are_refused(name: str) -> None:
    with pytest.raises(Unreadable, match="container name"):
        container(told(name=name))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("Id", "xyz", "the id"),
        ("Id", None, "the id"),
        ("NetworkSettings", [], "an object was expected"),
        ("NetworkSettings", {"Networks": {"a b": {}}}, "network name"),
        ("NetworkSettings", {"Networks": {"n": {"IPAddress": "1.2.3"}}}, "the address"),
        ("NetworkSettings", {"Ports": {"80/sctpx": []}}, "the port"),
        ("NetworkSettings", {"Ports": {"80/tcp": [{"HostPort": "70000"}]}}, "the port"),
        ("NetworkSettings", {"Ports": {"80/tcp": [{"HostPort": "٣"}]}}, "the port"),
        ("Config", {"Labels": 3}, "an object was expected"),
    ],
)
def test_what_is_none_is_refused_by_its_name(field: str, value: Any, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        container(told(**{field: value}))


def test_labels_and_images_are_cut_and_printable() -> None:
    labels = {f"k{n}": "v" * 9_999 for n in range(9_999)} | {"a": "\x1b]0;owned\x07"}
    found = container(told(Config={"Image": "x\x1b" * 999, "Labels": labels}))
    assert found is not None
    assert len(found.labels) == 64 and max(map(len, found.labels.values())) == 256
    assert found.image.isprintable() and len(found.image) == 256


def test_networks_tell_their_bridges() -> None:
    problems = Problems()
    own = {"Id": "b1" * 32, "Name": "backend", "Driver": "bridge", "Options": {}}
    macvlan = {"Id": "c2" * 32, "Name": "wire", "Driver": "macvlan"}
    bad = {**own, "Name": "a b"}
    long = {**NETWORK, "Options": {"com.docker.network.bridge.name": "x/../../y"}}
    found = networks([NETWORK, own, macvlan, bad, long], problems)
    assert [(one.name, one.bridge) for one in found] == [
        ("backend", "br-b1b1b1b1b1b1"),
        ("bridge", "docker0"),
        ("wire", None),
    ]
    assert len(problems) == 2 and all(one.startswith("a network is left out") for one in problems)


def test_too_many_are_refused() -> None:
    assert len(container_ids([{"Id": ID}] * MOST)) == MOST
    with pytest.raises(Unreadable, match="10,001 containers"):
        container_ids([{"Id": ID}] * (MOST + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.data())
def test_nonsense_anywhere_is_refused_or_read(data: st.DataObject) -> None:
    answer = copy.deepcopy(told())
    spot: Any = answer
    while True:
        key = data.draw(st.sampled_from(sorted(spot)))
        if isinstance(spot[key], dict) and spot[key] and data.draw(st.booleans()):
            spot = spot[key]
            continue
        spot[key] = data.draw(JSON)
        break
    try:
        found = container(answer)
    except Unreadable as error:
        assert str(error)
    else:
        assert found is None or found.name.isprintable()
