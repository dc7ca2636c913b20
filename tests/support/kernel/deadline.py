"""Wait for the deadline of a change that is to be confirmed."""

from __future__ import annotations

from tests.support.net.netns import wait_for
from xdpwall.dataplane.switch import Switch


def wait_for_deadline(switch: Switch) -> None:
    """Until the kernel's clock has reached it; nobody of ours does anything."""
    wait_for(lambda: (switch.seconds_left() or 0) <= 0, "the deadline")
