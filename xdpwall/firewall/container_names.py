"""What lies behind interfaces by the names of a container engine, where somebody asks one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeVar

from xdpwall.containers.now import containers_now
from xdpwall.errors import XdpwallError
from xdpwall.views.attachments import AttachmentView, InterfaceView

Named = TypeVar("Named", AttachmentView, InterfaceView)

_LOOK = 1.0
"""Seconds."""


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


class NamesLook:
    """What lies behind interfaces, looked at anew once a second at most, for those who ask often."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._words: dict[str, str] = {}
        self._looked = float("-inf")

    def __call__(self) -> dict[str, str]:
        """For each interface the words; nothing where they cannot be had."""
        if time.monotonic() >= self._looked + _LOOK:
            self._words, _ = behind(self._path)
            self._looked = time.monotonic()
        return self._words


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
