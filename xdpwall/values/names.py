"""Names that people give: of sets, of tokens. Pure."""

from __future__ import annotations

import re
from typing import Any

from .inputs import invalid

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)


def parse_name(field: str, value: Any, what: str) -> str:
    """A name; InvalidInput says that it is not `what`, such as "a set's name"."""
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise invalid(
        field,
        value,
        f"is not {what}",
        "1 to 32 of a-z, 0-9, _ and -, beginning with a letter or a digit",
    )
