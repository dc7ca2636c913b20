"""Quick blocks, as they are listed and as they are made."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import View


class BlockView(View):
    """One block."""

    target: Annotated[str, Field(description="what `unblock` takes")]
    rule: str
    """The id of the rule that drops it."""
    expires: str | None = None
    packets: int | None = None
    """Dropped by the rule; of an entry of the set `blocked` it is not known."""


class BlockList(View):
    """GET /block."""

    blocks: list[BlockView]
    total: int
    """More than are listed where the set `blocked` is large."""


class BlockOutcome(View):
    """The answer to block and unblock."""

    block: BlockView
    changed: bool
    """False when it already was so."""
    warnings: list[str] = []
