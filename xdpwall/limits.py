"""The limits of bpf/abi.h for modules that must not import NumPy. Pure."""

from __future__ import annotations

SLOTS = 32768
"""How many rules the kernel can count at once: the full ruleset and those that leave."""


ATTACHMENTS = 1024
"""Attachments with a program of their own; their numbers come first."""
MEMBERS = 1024
"""Attachments that were made by a pattern, which share programs; their numbers follow."""

MAX_RULES = 16384


CONTROL_OFF = 2
"""The bit of the control word by which everything passes."""
CONTROL_REVISION_SHIFT = 8
"""The revision stands above so many bits of the control word."""

SHARED = 0xFFFFFFFF
"""The constant `number` of a shared program."""
UNLISTED = ATTACHMENTS + MEMBERS
"""The number that a shared program judges by where it is not listed; the next one at egress."""
NUMBERS = UNLISTED + 2
CONTROL_MUTES = 2
"""The first of the words that say, by attachment number, which are muted."""
CONTROL_DEADLINES = CONTROL_MUTES + NUMBERS
"""The first of two words: by copy, the deadline of the change that is pending in it, in jiffies64."""
CONTROL_PASSING = CONTROL_DEADLINES + 2
"""The first of NUMBER_WORDS words of each copy: a bit by attachment number for each that passes all
its packets while a change is pending and this copy is in force."""
NUMBER_WORDS = (NUMBERS + 63) // 64
CONTROL_PROGRAMS = CONTROL_PASSING + 2 * NUMBER_WORDS
"""The word with a hash of the programs that the maps were made for."""
CONTROL_WORDS = CONTROL_PROGRAMS + 1
