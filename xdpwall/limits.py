"""The limits of bpf/abi.h for modules that must not import NumPy. Pure."""

from __future__ import annotations

SLOTS = 32768
"""How many rules the kernel can count at once: the full ruleset and those that leave."""


ATTACHMENTS = 64
"""How many attachments the kernel's totals have room for."""

MAX_RULES = 16384


CONTROL_OFF = 2
"""The bit of the control word by which everything passes."""
CONTROL_REVISION_SHIFT = 8
"""The revision stands above so many bits of the control word."""
