"""A rate in the words of a sentence. It imports next to nothing, for the fast rule list. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def rate_text(rate: Mapping[str, object]) -> str:
    """Write a rate that is an object, as JSON has it."""
    per = f" per {rate['per']}" if "per" in rate else ""
    return f"{rate['rate']} burst {rate['burst']}{per}"
