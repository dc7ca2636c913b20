"""Warn of attachments that are not in place, for the answer to a change that concerns them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Literal

from xdpwall.ruleset.attachment import Attachment

from .attacher import Attacher
from .interfaces import interface_names


def place_warnings(attacher: Attacher, attachments: Iterable[Attachment]) -> list[str]:
    """Ask the kernel for each: a sentence for one that judges no packet, or that it does not tell."""
    wanted = list(attachments)
    if not wanted:
        return []
    names, ours = interface_names(), cache(attacher.pins.ids)
    found = []
    for one in wanted:
        if one.iface not in names:
            found.append(out_of_place(one.iface, one.place, "no interface"))
            continue
        try:
            there = names[one.iface] == one.index and attacher.in_place(one.index, one.place, ours)
        except OSError as error:
            found.append(f"{one.words}: the kernel does not tell what is attached: {error}")
            continue
        if not there:
            found.append(out_of_place(one.iface, one.place, "displaced"))
    return found


def out_of_place(iface: str, place: str, state: Literal["no interface", "displaced"]) -> str:
    """Say what is wrong with an attachment, and what puts it back."""
    if state == "no interface":
        return f"{iface} {place}: the interface does not exist; when it comes back: xdpwall restore"
    return (
        f"{iface} {place}: our program is not attached (any more); put it back with: "
        "xdpwall restore"
    )
