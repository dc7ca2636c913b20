"""Words for what is in force in the kernel while the disk could not be told."""

from __future__ import annotations

from xdpwall.errors import XdpwallError


def unrecorded_words(done: str, error: XdpwallError) -> str:
    """Say what was done, and why the disk does not know it."""
    return (
        f"{done}, but not recorded: {error.message}; the next command that can write records it, a "
        "reboot before that forgets it"
    )
