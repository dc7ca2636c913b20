"""What lies behind interfaces by the names of a container engine, where somebody asks one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from xdpwall.errors import XdpwallError
from xdpwall.kernel.os_errors import os_error
from xdpwall.views.attachments import AttachmentView, InterfaceView
from xdpwall.views.containers import ContainerList

Named = TypeVar("Named", AttachmentView, InterfaceView)


def containers_now(path: Path) -> ContainerList:
    """The containers that were told last, with the interfaces that lead to them; an empty list, not
    complete, where nobody asks an engine. XdpwallError when the file cannot be trusted or read."""
    if not os.path.lexists(path):  # the way of nearly every host
        return ContainerList(complete=False)
    from xdpwall.containers.handover import read_snapshot
    from xdpwall.containers.ports import with_ports

    try:
        return with_ports(read_snapshot(path))
    except OSError as error:
        raise os_error(error.errno or 0, f"read the containers from {path}") from error


def behind(path: Path) -> tuple[dict[str, str], list[str]]:
    """For each interface what lies behind it in words, and warnings. Names are an aid: what stands in
    their way is a warning, no error."""
    try:
        found = containers_now(path)
    except XdpwallError as error:
        return {}, [f"containers have no names: {error.message}"]
    if found.engine is None:
        return {}, []
    from xdpwall.containers.ports import behind_words

    warnings = [] if found.complete else [f"containers: {one}" for one in found.problems]
    return behind_words(found), warnings


def named(views: list[Named], words: dict[str, str]) -> list[Named]:
    """The views with what lies behind each."""
    if not words:
        return views
    return [
        view.model_copy(update={"behind": words[name]}) if (name := _name(view)) in words else view
        for view in views
    ]


def _name(view: AttachmentView | InterfaceView) -> str:
    return view.name if isinstance(view, InterfaceView) else view.called or view.iface
