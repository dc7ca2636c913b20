"""What every answer says while the firewall is switched off, or holds what the disk does not know."""

SWITCHED_OFF = "the firewall is switched off: everything passes (xdpwall on)"
HELD_BY_KERNEL = "the kernel holds revision"
"""How the words begin that tell of another state than that on disk."""
