"""Drivers that take a program in native mode and do not run it, or lose packets by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from xdpwall.attach.large_packets import ONE_BUFFER, large_packet_warning
from xdpwall.attach.native_traps import native_trap, refuse_native, trap_warning
from xdpwall.attach.warnings import generic_warnings
from xdpwall.kernel.net.virtio import virtio_features
from xdpwall.ruleset.attachment import Attachment

ROW = Attachment("eth0", "xdp", 2, "auto", 0, "", "native")
# What QEMU 7.2 and Linux 6.12 agree on: with mergeable buffers, and without.
QEMU = "1110010111111111111101010000110010000000100000000000000000000000"
SMALL = "1110010111111110111101010000110010000000100000000000000000000000"


def bits(text: str) -> set[int]:
    return {number for number, bit in enumerate(text) if bit == "1"}


@pytest.mark.parametrize(
    ("features", "trapped"),
    [
        (bits(QEMU), False),
        (bits(SMALL), True),
        *[({0, 5, bit}, True) for bit in (7, 8, 9, 10)],
        *[({0, 5, bit, 15}, False) for bit in (7, 8, 9, 10)],
        ({0, 5}, False),
        ({0, 5, 54}, False),
        ({0, 5, 54, 55}, True),
        ({0, 5, 11, 12}, False),  # what the guest sends
        (None, False),
    ],
)
def test_virtio_without_mergeable_buffers(features: set[int] | None, trapped: bool) -> None:
    trap = native_trap("eth0", "virtio_net", lambda iface: features)
    assert (trap is not None and trap.certain) == trapped


@pytest.mark.parametrize("driver", ["e1000e", "veth", "ixgbe", None])
def test_others_are_no_trap(driver: str | None) -> None:
    assert native_trap("eth0", driver, lambda iface: bits(SMALL)) is None
    assert trap_warning(ROW, driver) is None


def test_vmxnet3_is_warned_of() -> None:
    trap = native_trap("eth0", "vmxnet3")
    assert trap is not None and not trap.certain
    words = trap_warning(ROW, "vmxnet3")
    assert words is not None and words.startswith("eth0 xdp native: vmxnet3 stops running")
    assert "`xdpwall detach eth0 --hook xdp` first" in words


def test_a_card_in_generic_mode_is_told_with_the_reason_and_a_bridge_is_not() -> None:
    card = replace(ROW, mode="generic", why_generic="native was refused: no queue is left")
    rows = [card, replace(card, kind="bridge"), replace(card, why_generic=None)]
    assert generic_warnings(rows) == [
        "eth0 xdp: attached in generic mode, which is slower: native was refused: no queue is left"
    ]


def test_a_refusal_names_the_cure() -> None:
    trap = native_trap("eth0", "virtio_net", lambda iface: bits(SMALL))
    assert trap is not None
    error = refuse_native("eth0", trap)
    assert (error.code, error.field, error.value) == ("no-native", "mode", "native")
    assert "--mode generic" in str(error.hint) and "mrg_rxbuf=on" in str(error.hint)


def test_features_are_read_by_the_address_on_the_bus(tmp_path: Path) -> None:
    bus = tmp_path / "bus"
    bus.mkdir()
    for number, (address, text) in enumerate([("0000:00:03.0", QEMU), ("0000:00:04.0", SMALL)]):
        card = tmp_path / address / f"virtio{number}"
        card.mkdir(parents=True)
        (card / "features").write_text(f"{text}\n")
        (bus / card.name).symlink_to(card)
    assert virtio_features("0000:00:03.0", bus) == bits(QEMU)
    assert virtio_features("0000:00:04.0", bus) == bits(SMALL)
    assert virtio_features("0000:00:05.0", bus) is None
    assert virtio_features("0000:00:03.0", tmp_path / "none") is None


@pytest.mark.parametrize(
    ("driver", "mtu", "frags", "warned"),
    [
        ("virtio_net", 9000, False, True),
        ("virtio_net", ONE_BUFFER + 1, False, True),
        ("virtio_net", ONE_BUFFER, False, False),
        ("virtio_net", 9000, True, False),
        ("virtio_net", 9000, None, False),
        ("ixgbe", 9000, False, False),
        (None, 9000, False, False),
    ],
)
def test_an_mtu_raised_after_the_attach(
    driver: str | None, mtu: int, frags: bool | None, warned: bool
) -> None:
    row = replace(ROW, iface="eth7")
    words = large_packet_warning(row, driver, mtu, lambda: frags)
    assert (words is not None) == warned
    if words is not None:
        assert words.startswith(
            f"eth7 xdp native: packets of more than one buffer are lost, since the MTU was raised to {mtu}"
        )
        assert f"`ip link set eth7 mtu {ONE_BUFFER}`" in words
