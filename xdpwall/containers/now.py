"""The containers there are now, from what was handed over last."""

from __future__ import annotations

import os
from pathlib import Path

from xdpwall.kernel.os_errors import os_error
from xdpwall.views.containers import ContainerList


def containers_now(path: Path) -> ContainerList:
    """The containers that were told last, with the interfaces that lead to them; an empty list, not
    complete, where nobody asks an engine. XdpwallError when the file cannot be trusted or read."""
    if not os.path.lexists(path):  # the way of nearly every host
        return ContainerList(complete=False)
    from .handover import read_snapshot
    from .ports import with_ports

    try:
        return with_ports(read_snapshot(path))
    except OSError as error:
        raise os_error(error.errno or 0, f"read the containers from {path}") from error
