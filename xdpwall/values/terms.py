"""Types of a few words: hook, direction, mode, verdict, place."""

from __future__ import annotations

from typing import Literal

Counts = tuple[int, int]
"""(packets, bytes)"""

Hook = Literal["xdp", "tc"]
Direction = Literal["ingress", "egress"]
Mode = Literal["native", "generic"]
WantedMode = Literal["auto", "native", "generic"]
Verdict = Literal["accept", "drop"]
Place = Literal["xdp", "tc-ingress", "tc-egress"]
"""An attachment's key within one interface: hook and direction in one word."""
