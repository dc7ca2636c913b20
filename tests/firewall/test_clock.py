"""A clock that is wrong, and set right: what is over is over, and endings are computed anew.

The clock by which packets are judged is the machine's. What a process takes for the time of day is
shifted, since a test must not set the machine's clock; scripts/kernels has a test that does.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import pytest

from tests.firewall.support import Site, rules, step, trail
from tests.support.net.netns import wait_for
from xdpwall.dataplane.pinned_clock import PinnedClock
from xdpwall.firewall.firewall import Firewall
from xdpwall.firewall.rule_list_fast import list_rules
from xdpwall.kernel.clock import SystemClock
from xdpwall.values.times import epoch_text

HOUR, DAY = 3600, 86400


class ShiftedClock(SystemClock):
    """The machine's clock, some seconds off."""

    def __init__(self, shift: int = 0, *, synchronized: bool = False) -> None:
        super().__init__()
        self.shift, self.told = shift, synchronized

    def offset_ns(self) -> int:
        return super().offset_ns() + self.shift * 10**9

    def synchronized(self) -> bool:
        return self.told

    def text(self, seconds: int = 0) -> str:
        """The time that this clock will show in so many seconds."""
        return epoch_text((self.boot_ns() + self.offset_ns()) // 10**9 + seconds)


def accept_until(site: Site, clock: ShiftedClock, seconds: int, by: str = "rule") -> None:
    """veth0 attached, pings dropped but by a rule or an entry that is over in so many seconds."""
    with Firewall.open(site.settings, clock=clock) as firewall:
        firewall.attach("veth0")
        firewall.create_set("good")
        if by == "rule":
            firewall.add_rules(rules(f"accept icmp until {clock.text(seconds)}", "drop icmp"))
        else:
            entry = {"address": "10.9.0.2", "prefix": "10.9.0.0/24"}[by]
            firewall.change_set("good", add=[entry], expires=clock.text(seconds))
            firewall.add_rules(rules("accept icmp from @good", "drop icmp"))


def told_over(firewall: Firewall, by: str, word: str = "over now") -> bool:
    """Whether the audit trail says what came of it."""
    what = "rules r1" if by == "rule" else "1 entries of sets"
    return any(f"; {word}: {what}" in action for action in trail(firewall))


@pytest.mark.parametrize(
    ("by", "service", "behind"),
    [
        ("rule", False, 3 * DAY),
        ("address", False, 30),
        ("prefix", True, 30),
        ("rule", True, 3 * DAY),
    ],
)
def test_behind_at_restore_and_set_right_after(
    site: Site, behind: int, service: bool, by: str
) -> None:
    accept_until(site, ShiftedClock(), 1000, by)
    site.forget_kernel()
    clock = ShiftedClock(-behind)
    with Firewall.open(site.settings, clock=clock, service=service) as firewall:
        restored = firewall.restore()
        for told in (restored.warnings, firewall.status().warnings, firewall.health().problems):
            assert any("behind the newest change on disk" in text for text in told)
        assert site.ping(1) == 1
        clock.shift, clock.told = 2 * DAY, True  # the machine was off for two days
        if service:
            wait_for(lambda: site.ping(1) == 0, "the service to look at the clock")
        else:
            assert not firewall.health().problems  # any command does it
        assert site.ping(1) == 0
        assert firewall.rules().rules[0].expired is (by == "rule")
        assert firewall.set("good").entries == 0
        assert not firewall.status().warnings and told_over(firewall, by)


@pytest.mark.parametrize("by", ["address"])
def test_time_goes_on_from_the_newest_change_while_the_clock_is_behind(site: Site, by: str) -> None:
    """Each process would otherwise begin again at the newest change, and nothing would ever end."""
    accept_until(site, ShiftedClock(), 3, by)
    site.forget_kernel()
    with Firewall.open(site.settings, clock=ShiftedClock(-3 * DAY)) as firewall:
        firewall.restore()
    wait_for(lambda: site.ping(1) == 0, "the end, of which no process knows")
    with Firewall.open(site.settings, clock=ShiftedClock(-3 * DAY)) as firewall:
        assert firewall.set("good").entries == 0
        firewall.add_rules(rules("count udp"))
        assert site.ping(1) == 0
        assert firewall.rules().rules[2].created > firewall.rules().rules[0].created


@pytest.mark.parametrize(("by", "service"), [("rule", False), ("address", True), ("rule", True)])
def test_set_on_and_set_back_by_an_hour(site: Site, service: bool, by: str) -> None:
    clock = ShiftedClock(synchronized=True)
    accept_until(site, clock, HOUR // 2, by)
    with Firewall.open(site.settings, clock=clock, service=service) as firewall:
        turns = ((HOUR, 0, "over now"), (0, 1, "in force again"))
        for shift, pongs, word in turns:
            if by != "rule" and not shift:
                break  # the entry was taken out when it was over
            clock.shift = shift
            if service:
                firewall._expirer.wake()  # type: ignore[union-attr]  # as the kernel's timer does
                wait_for(partial(_pongs, site, pongs), word)
            else:
                firewall.rules()
            assert site.ping(1) == pongs, word
            assert told_over(firewall, by, word)
            assert firewall.rules().rules[0].expired is (by == "rule" and not pongs)


@pytest.mark.parametrize("by", ["rule"])
def test_what_ends_in_the_future_of_a_clock_set_back_is_kept(site: Site, by: str) -> None:
    """The clock is believed: it is as if an hour were lived again."""
    clock = ShiftedClock(synchronized=True)
    accept_until(site, clock, 2, by)
    clock.shift = -HOUR
    with Firewall.open(site.settings, clock=clock) as firewall:
        firewall.rules()
    begun = SystemClock().boot_ns()
    wait_for(lambda: SystemClock().boot_ns() - begun > 3 * 10**9, "the end by the first clock")
    assert site.ping(1) == 1


@pytest.mark.parametrize("by", ["prefix"])
def test_an_unsynchronized_clock_set_back_lengthens_nothing_by_an_hour(site: Site, by: str) -> None:
    clock = ShiftedClock()
    accept_until(site, clock, 3, by)
    clock.shift = -HOUR
    with Firewall.open(site.settings, clock=clock) as firewall:
        assert any("behind the newest change" in text for text in firewall.status().warnings)
    wait_for(lambda: site.ping(1) == 0, "the end")


def test_once_synchronized_the_clock_is_believed_until_the_next_boot(site: Site) -> None:
    ahead = ShiftedClock(10 * DAY)
    accept_until(site, ahead, HOUR)  # nobody says that this clock is wrong
    clock = ShiftedClock()
    with Firewall.open(site.settings, clock=clock) as firewall:
        assert firewall.status().warnings  # ten days behind the newest change
        clock.told = True
        assert not firewall.status().warnings
        assert abs(firewall.seconds() - SystemClock().offset_ns() / 1e9) < 1e9
    with Firewall.open(site.settings, clock=ShiftedClock(-HOUR)) as firewall:  # ntpd has ended
        assert not firewall.status().warnings
        assert firewall.rules().rules[0].expires > ShiftedClock(9 * DAY).text()  # type: ignore[operator]
    site.forget_kernel()
    with Firewall.open(site.settings, clock=ShiftedClock(-2 * HOUR)) as firewall:
        assert any("behind the newest" in text for text in firewall.restore().warnings)


@pytest.mark.parametrize("point", ["clock-begun", "clock-written"])
def test_a_process_that_dies_in_between_leaves_it_to_the_next(site: Site, point: str) -> None:
    accept_until(site, ShiftedClock(-2 * DAY), 1000)
    assert site.ping(1) == 1
    assert site.run(step("create_set", "other"), crash_at=point) == -9
    kept = PinnedClock(site.settings.bpffs).read()
    assert kept is not None and kept.offset == 0
    assert site.run(step("create_set", "other")) == 0
    assert site.ping(1) == 0
    kept = PinnedClock(site.settings.bpffs).read()
    assert kept is not None and abs(kept.offset - SystemClock().offset_ns()) < 10**9


def test_maps_of_a_release_that_kept_no_clock(site: Site) -> None:
    accept_until(site, ShiftedClock(-2 * DAY), 1000)
    (site.settings.bpffs / "maps" / "clock").unlink()
    assert site.ping(1) == 1
    with site.open() as firewall:
        firewall.create_set("other")
        assert site.ping(1) == 0


def test_the_fast_list_leaves_a_clock_that_was_set_to_the_firewall(site: Site) -> None:
    accept_until(site, ShiftedClock(-2 * DAY), 1000)
    assert list_rules(site.settings) is None
    listed = subprocess.run(
        [*_command(site), "rule", "list", "-o", "json"], capture_output=True, text=True, check=True
    )
    assert '"expired": true' in listed.stdout
    assert "the time of day went 2d on" in listed.stderr
    assert "over now: rules r1" in listed.stderr
    assert site.ping(1) == 0
    assert list_rules(site.settings) is not None


def test_a_time_namespace_shifts_no_ending(site: Site) -> None:
    """CLOCK_BOOTTIME of the process is another there; that of the programs is the machine's."""
    accept_until(site, ShiftedClock(), 1000)
    shifted = ["unshare", "--time", "--boottime", "864000", "--fork", *_command(site)]
    subprocess.run([*shifted, "rule", "add", "drop icmp until 2999-01-01T00:00:00Z", "--at", "1"],
                   check=True, capture_output=True)  # fmt: skip
    assert site.ping(1) == 0
    moment = ShiftedClock().text(3)
    subprocess.run([*shifted, "rule", "set", "r3", f"drop icmp until {moment}"],
                   check=True, capture_output=True)  # fmt: skip
    wait_for(lambda: site.ping(1) == 1, "its end")


def _pongs(site: Site, wanted: int) -> bool:
    return site.ping(1) == wanted


def _command(site: Site) -> list[str]:
    paths = site.settings
    return [sys.executable, "-m", "xdpwall", "--state-dir", str(paths.state_dir),
            "--bpffs", str(paths.bpffs), "--socket", str(paths.socket)]  # fmt: skip
