"""What `make test-boot` finds wrong with a boot: each fault, and none where all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.boots.machine import Boot
from scripts.test_boot import FILTERED, find_faults

WELL = Boot(
    183.0,
    "\n".join(
        [
            "system is degraded",
            "failed: xdpwall-restore.service loaded failed failed",
            *(f'rule {iface} {{"packets":9}}' for iface in FILTERED),
            "end",
        ]
    ),
    journal="",
    console="",
    answers={"open0": 5, **dict.fromkeys(FILTERED, 0)},
    sent={},
)


def said(before: str, after: str) -> Boot:
    """The boot after which the machine said something else."""
    assert before in WELL.said
    return replace(WELL, said=WELL.said.replace(before, after))


def test_a_boot_where_all_is_well() -> None:
    assert not list(find_faults(WELL))


@pytest.mark.parametrize(
    ("boot", "fault"),
    [
        (said("end", ""), "did not report"),
        (said("degraded", "running"), "does not tell"),
        (said("failed: xdpwall-restore", "failed: other"), "did not fail"),
        (said('rule slow0 {"packets":9}', 'rule slow0 {"packets":0}'), "of slow0 was dropped"),
        (said("rule br0", "rule br1"), "of br0 was dropped"),
        (replace(WELL, answers={**WELL.answers, "fast0": 1}), "1 pings of fast0 were answered"),
        (replace(WELL, answers={**WELL.answers, "open0": 0}), "nothing could have been"),
    ],
)
def test_each_fault_is_found(boot: Boot, fault: str) -> None:
    (found,) = find_faults(boot)
    assert fault in found
