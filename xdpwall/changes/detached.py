"""Detach by the kernel alone, where the disk cannot be written or another process keeps the lock, and let
the disk follow later.

A folder on the bpffs, detached/<ifindex>-<place>, keeps what the disk does not know: else `restore` and
the service's start would attach again what somebody took off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress

from xdpwall.attach.interfaces import highest_first, index_of
from xdpwall.errors import Failed, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.bpf import bpffs
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.author import Author
from xdpwall.values.terms import Direction, Hook
from xdpwall.views.attachments import DetachOutcome

from .attachments import matching_attachments
from .detach import take_off
from .unrecorded import attachments_in_kernel
from .unrecorded_words import unrecorded_words

_GIVE_WAY = 1.0
"""Seconds in which a thread that is all right has answered its question."""
_NAME = re.compile(r"(\d{1,10})-(xdp|tc-ingress|tc-egress)")


@contextmanager
def undisturbed(instance: Instance) -> Iterator[Instance]:
    """The instance while its other threads wait. Where one of them does not give way, another that is opened
    for this: that thread may be in the middle of something with what this one has open."""
    if instance.lock.threads.acquire(timeout=_GIVE_WAY):
        try:
            yield instance
        finally:
            instance.lock.threads.release()
        return
    with closing(Instance(instance.settings)) as own, own.lock.threads:
        yield own


def detach_unlocked(
    instance: Instance,
    iface: str | None,
    hook: Hook | None,
    direction: Direction | None,
    why: XdpwallError,
) -> DetachOutcome:
    """Detach programs of ours without lock and disk, which cannot be used for the reason `why`. Failed
    "still-attached", when all else is done, where a program could not be detached."""
    rows = matching_attachments(attachments_in_kernel(instance), iface, hook, direction)
    rows = highest_first(rows, lambda one: one.index)
    if iface is not None and not rows:
        index_of(iface)
    left = {row: take_off(instance, row.spec, row.index)[1] for row in rows}
    gone = [row for row, where in left.items() if where is None]
    words = f"detached {', '.join(row.words for row in gone)}"
    return detach_outcome(
        [row.words for row in gone],
        [where for where in left.values() if where],
        [unrecorded(instance, gone, words, why)] if gone else [],
    )


def detach_outcome(gone: list[str], left: list[str], warnings: list[str]) -> DetachOutcome:
    """The answer, which is Failed "still-attached" where programs are left."""
    if left:
        raise Failed(
            f"not detached: {'; '.join(left)}",
            code="still-attached",
            value=left,
            hint="`xdpwall detach --all` tries again"
            + (f"; detached: {', '.join(gone)}" if gone else ""),
        )
    return DetachOutcome(detached=gone, warnings=warnings)


def unrecorded(
    instance: Instance, rows: Iterable[Attachment], words: str, why: XdpwallError
) -> str:
    """Keep on the bpffs that these were detached, and say so."""
    try:
        for row in rows:
            bpffs.ensure_mounted(_folder(instance, row.index, row.place))
    except XdpwallError as error:
        return (
            f"{words}, but not recorded: {why.message}; nor on the bpffs ({error.message}): `xdpwall "
            "restore` and a start of the service attach again"
        )
    return unrecorded_words(words, why)


def follow_detached(instance: Instance, *, by: Author) -> None:
    """Record what was detached while the disk could not be written. Called with the lock held."""
    folder = instance.settings.bpffs / "detached"
    for name in bpffs.pin_names(folder):
        found = _NAME.fullmatch(name)
        for row in instance.attachments:
            if found is None or (str(row.index), row.place) != found.groups():
                continue
            there = instance.attacher.find(row.index, row.place)
            if row.intent == "attached" and (there is None or not there.ours):
                words, now = f"found detached: {row.words}", instance.clock.now_text()
                instance.store.attachments.delete(row, by=by, action=words, now=now)
        with suppress(XdpwallError):  # it does no harm where the bpffs is mounted read-only
            bpffs.remove_tree(folder / name)


def forget_detached(instance: Instance) -> None:
    """Record nothing of what was detached: what is on disk is taken as a whole (`--adopt`)."""
    with suppress(XdpwallError):
        bpffs.remove_tree(instance.settings.bpffs / "detached")


def _folder(instance: Instance, index: int, place: str) -> str:
    return f"{instance.settings.bpffs}/detached/{index}-{place}"
