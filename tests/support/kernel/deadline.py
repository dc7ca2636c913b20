"""Wait for the deadline of a change that is to be confirmed."""

from __future__ import annotations

from tests.support.net.netns import wait_for
from xdpwall.abi import CONTROL_DEADLINES
from xdpwall.dataplane.control_word import ControlWord
from xdpwall.dataplane.switch import Switch


def wait_for_deadline(switch: Switch) -> None:
    """Until the kernel's clock has reached it; nobody of ours does anything."""
    wait_for(lambda: (switch.seconds_left() or 0) <= 0, "the deadline")


def reach_deadline(control: ControlWord) -> None:
    """Let the deadline be now, by the word that the kernel compares: a test that needs some seconds until
    then on a slow machine needs none on a fast one."""
    assert control.read().pending
    control._store(CONTROL_DEADLINES + control.read().copy, control.jiffies())
