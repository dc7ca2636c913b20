"""The limits of bpf/abi.h that also bind what knows nothing of tables. Pure, without numpy."""

from __future__ import annotations

SLOTS = 32768
"""How many rules the kernel can count at once: the full ruleset and those that leave."""


ATTACHMENTS = 64
"""How many attachments the kernel's totals have room for."""

MAX_RULES = 16384
