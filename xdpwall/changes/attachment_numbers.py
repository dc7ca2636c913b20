"""The numbers of attachments, by which the kernel knows them: who has none yet gets the lowest that is free."""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.errors import Full
from xdpwall.limits import ATTACHMENTS, MEMBERS
from xdpwall.ruleset.attachment import Attachment


def free_number(
    rows: Iterable[Attachment], muted: Iterable[int] = (), *, shared: bool = False
) -> int:
    """The lowest number that no attachment and no muted program has. Raises Full."""
    return free_numbers(rows, muted, 1, shared=shared)[0]


def free_numbers(
    rows: Iterable[Attachment], muted: Iterable[int], count: int, *, shared: bool
) -> list[int]:
    """So many of them, of those whose programs are `shared` or of the others. Raises Full."""
    used = {row.number for row in rows}.union(muted)
    first, most = (ATTACHMENTS, MEMBERS) if shared else (0, ATTACHMENTS)
    free = [number for number in range(first, first + most) if number not in used][:count]
    if len(free) == count:
        return free
    raise Full(
        f"all {most:,} attachments are in use",
        code="too-many-attachments",
        hint="detach one that is not needed: xdpwall status",
    )
