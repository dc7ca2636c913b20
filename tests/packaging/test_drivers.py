"""scripts/drivers: the guest's cards, and what the table and the page say of a run."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.drivers.nics import NICS, guest_address, mac, peer_address, qemu_options
from scripts.drivers.table import STEPS, failures, lines, page


def test_each_card_has_a_tap_and_an_address_of_its_own() -> None:
    options = qemu_options(NICS)
    for number, nic in enumerate(NICS, 1):
        assert f"-netdev tap,id={nic.name},ifname={nic.name}," in options
        assert f"-device {nic.device},netdev={nic.name},mac={mac(number)}" in options
        assert len(nic.name) < 16  # an interface's
        assert peer_address(number) != guest_address(number)
    assert len({mac(number) for number in range(1, 20)}) == 19
    assert mac(11) == "52:54:00:00:00:0b"


def cell(nic: str, mode: str, got: str, jumbo: bool = True, **results: str) -> dict[str, Any]:
    steps = [
        {
            "name": name.replace("_", " "),
            "result": result.partition(":")[0],
            "note": result.partition(":")[2],
        }
        for name, result in results.items()
    ]
    return {
        "nic": nic,
        "mode": mode,
        "got": got,
        "jumbo": jumbo,
        "why_generic": None,
        "steps": steps,
    }


def report(*results: dict[str, Any], said: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "release": "6.1.0-57-amd64",
        "date": "2026-12-01",
        "seconds": 90,
        "results": list(results),
        "kernel_said": list(said),
    }


GOOD = cell("virtio", "auto", "native", attach="ok", traffic="ok", MTU_up="told:lost; it says so")
REFUSED = cell("e1000e", "native", "refused", attach="refused:takes no native XDP")
BAD = cell("small", "auto", "native", attach="ok", traffic="FAILED:9 of 10 passed; not told")


@pytest.mark.parametrize(
    ("one", "bad"),
    [
        (report(GOOD, REFUSED), []),
        (report(GOOD, BAD), ["small auto: traffic: 9 of 10 passed; not told"]),
        (report(GOOD, said=("BUG: x",)), ["the kernel said: BUG: x"]),
    ],
)
def test_what_is_told_or_refused_is_no_failure(one: dict[str, Any], bad: list[str]) -> None:
    assert failures(one) == bad
    assert [line for line in lines([one]) if "FAILED " in line][: len(bad)] or not bad
    assert all(f"  FAILED {words}" in lines([one]) for words in bad)


def test_the_table() -> None:
    assert lines([report(GOOD, REFUSED)])[1:] == [
        "Linux 6.1.0-57-amd64: passed, 1.5 min",
        "  card    mode    got      attach   traffic  down and up  MTU up  MTU down  detach",
        "  virtio  auto    native   ok       ok       -            told    -         -",
        "  e1000e  native  refused  refused  -        -            -       -         -",
    ]


def test_the_page_has_each_kernel_each_card_and_each_reason_once() -> None:
    again = cell("rtl8139", "native", "refused", jumbo=False, attach="refused:takes no native XDP")
    text = page([report(GOOD, REFUSED, again)])
    assert "## Linux 6.1.0-57-amd64, 2026-12-01" in text
    assert "| virtio | auto | native | ok | ok | - | told | - | - |" in text
    assert text.count("takes no native XDP") == 1
    assert (
        "- *e1000e native, attach refused; rtl8139 native, attach refused*: takes no native XDP"
        in text
    )
    assert all(f"| {nic.name} | `{nic.device}`" in text for nic in NICS)
    assert f"| {' | '.join(STEPS)} |" in text


def test_a_step_that_could_not_be_tried_whole_is_no_full_success() -> None:
    small = cell("vmxnet3", "tc", "tc", jumbo=False, attach="ok", MTU_up="ok", MTU_down="ok")
    assert "| vmxnet3 | tc | tc | ok | - | - | ok (1,500) | ok | - |" in page([report(small)])
