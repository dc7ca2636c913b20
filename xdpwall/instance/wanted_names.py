"""The names of interfaces on which something is wanted, as empty files that a udev rule looks for.

/run/xdpwall/wanted/eth1: the rule (packaging/udev) starts no process for an interface that has no such file,
as for each of a container host's. Attachments by policy with a `*` are in wanted-patterns beside it, which is
there only when it has some. Both stand beside the service's socket. Ports of a bridge (`ports:docker0`) are none
when they appear, so that no rule finds them: the service does.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from xdpwall.errors import XdpwallError
from xdpwall.rule.iface_selector import PORTS, is_pattern
from xdpwall.trusted import open_folder

from .instance import Instance

FOLDER, PATTERNS = "wanted", "wanted-patterns"

log = logging.getLogger("xdpwall.attachments")


def publish_wanted(instance: Instance) -> None:
    """Let the folder have the names of the instance's attachments. Nothing where there is no folder for the
    socket, or the store cannot be read; what fails is logged, since no change may fail by it."""
    if instance.store.is_blank:
        return
    selectors = {one.selector for one in instance.store.read().patterns}
    selectors = {one for one in selectors if not one.startswith(PORTS)}
    patterns = {one for one in selectors if is_pattern(one)}
    names = {row.iface for row in instance.attachments} | selectors - patterns
    home = instance.settings.socket.parent
    try:
        if home.is_dir():
            _write(home / FOLDER, names)
            _write(home / PATTERNS, patterns)
    except (XdpwallError, OSError) as error:
        log.info("%s: %s: an interface that appears may be filtered late", home / FOLDER, error)


def _write(folder: Path, names: set[str]) -> None:
    if not (names or folder.exists()):
        return
    opened = open_folder(folder, make=0o755)
    try:
        present = set(os.listdir(f"/proc/self/fd/{opened}"))
        for name in names - present:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=opened))
        for name in present - names:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=opened)
    finally:
        os.close(opened)
    if not names:
        folder.rmdir()
