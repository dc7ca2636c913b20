"""The base of the models, and packet counts.

A model is defined once for command line, REST and page, so that `-o json` and the REST answers
cannot drift apart. It is frozen; absent means unknown or not applicable and is left out of JSON.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class View(BaseModel):
    """Base of everything read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def to_json(self) -> dict[str, Any]:
        """The JSON object: absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)


class Count(View):
    """Packets, and bytes as design says: from the Ethernet header, without FCS."""

    packets: int = 0
    bytes: int = 0
