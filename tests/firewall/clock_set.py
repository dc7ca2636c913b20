"""The clock of the machine, set: only inside an emulated kernel (make test-kernels), never by make test,
which does not collect a file of this name."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules
from tests.support.net.netns import wait_for
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.clock import ClockWatch, SystemClock
from xdpwall.kernel.libc import libc
from xdpwall.values.times import epoch_text

HOUR, DAY = 3600, 86400
_ADJ_STATUS, _STA_UNSYNC = 0x10, 0x40


@pytest.fixture(autouse=True)
def machine() -> Iterator[None]:
    """A guest, whose clock is put back."""
    assert "virtme" in Path("/proc/cmdline").read_text(), "this would set the clock of the machine"
    time_was, boot_was = time.time(), time.monotonic()
    yield
    time.clock_settime(time.CLOCK_REALTIME, time_was + time.monotonic() - boot_was)


def set_on(seconds: float) -> None:
    """What `date -s` or an NTP client does; the kernel takes the clock for not synchronized then."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    assert not SystemClock().synchronized()


def synchronize() -> None:
    """What an NTP client tells the kernel when it has set the clock."""
    asked = ctypes.create_string_buffer(_ADJ_STATUS.to_bytes(4, "little"), 208)
    assert libc().adjtimex(asked) >= 0
    assert SystemClock().synchronized()


def prepare(site: Site) -> None:
    """Pings pass by a rule and by an entry for an hour, and are dropped then."""
    ends = epoch_text(int(time.time()) + HOUR)
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.create_set("good")
        firewall.change_set("good", add=["10.9.0.2"], expires=ends)
        firewall.add_rules(
            rules(f"accept icmp until {ends}", "accept icmp from @good", "drop icmp")
        )


def meets(site: Site, firewall: Firewall, pongs: int, *, service: bool) -> None:
    """Pings are answered or not: the service sees to it, or the next command."""
    if service:
        wait_for(lambda: site.ping(1) == pongs, f"{pongs} answers")
    else:
        firewall.rules()
        assert site.ping(1) == pongs


@pytest.mark.parametrize("service", [False, True])
def test_days_behind_at_restore_and_set_right(site: Site, service: bool) -> None:
    prepare(site)
    site.forget_kernel()
    set_on(-3 * DAY)
    with Firewall.open(site.settings, service=service) as firewall:
        assert any("behind the newest change" in text for text in firewall.restore().warnings)
        assert site.ping(1) == 1 and not firewall.rules().rules[0].expired
        set_on(5 * DAY)
        synchronize()
        meets(site, firewall, 0, service=service)
        assert firewall.rules().rules[0].expired and firewall.set("good").entries == 0
        assert not firewall.status().warnings


@pytest.mark.parametrize("service", [False, True])
def test_set_on_by_two_hours_and_back(site: Site, service: bool) -> None:
    prepare(site)
    synchronize()
    with Firewall.open(site.settings, service=service) as firewall:
        assert firewall.rules().rules[0].expired is False
        assert site.ping(1) == 1
        set_on(2 * HOUR)
        meets(site, firewall, 0, service=service)
        set_on(-2 * HOUR)
        meets(site, firewall, 1, service=service)  # by the rule; the entry was taken out


def test_the_watch_wakes_up_when_the_clock_is_set_and_only_then() -> None:
    with ClockWatch() as watch:
        for seconds in (HOUR, -HOUR, 0.001):
            waiting = threading.Thread(target=watch.wait, args=(10 * HOUR,))
            waiting.start()
            waiting.join(2)
            assert waiting.is_alive()
            set_on(seconds)
            waiting.join(60)
            assert not waiting.is_alive()
