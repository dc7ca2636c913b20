"""The names of interfaces that a person could type, and the words for several of them."""

from __future__ import annotations

import re
import socket
from collections import Counter

_STEM = re.compile(r"[A-Za-z]{2,}-?")
"""What the names of interfaces of one kind begin with: veth, eth, br-."""


def typable_names() -> list[str]:
    """Those of this thread's network namespace, without any that holds control characters or is no
    UTF-8: a rule could not name it, and no terminal should show it."""
    return [name for _, name in socket.if_nameindex() if name.isprintable()]


def selectable_names() -> list[str]:
    """typable_names(), and what a rule may say for several: `veth*`, `ports:docker0`."""
    from xdpwall.kernel.net.link_list import brief_links
    from xdpwall.rule.iface_selector import PORTS

    try:
        links = [link for link in brief_links() if link.name.isprintable()]
    except OSError:
        return typable_names()
    stems = Counter(found[0] for link in links if (found := _STEM.match(link.name)))
    masters = dict.fromkeys(
        link.master for link in links if link.master and link.master.isprintable()
    )
    return [
        *(link.name for link in links),
        *(f"{stem}*" for stem, count in stems.items() if count > 1),
        *(PORTS + master for master in masters),
    ]
