"""The report of `xdpwall doctor`."""

from __future__ import annotations

from typing import Literal

from .base import View


class Check(View):
    """One line of doctor."""

    name: str
    status: Literal["pass", "warn", "fail"]
    found: str
    todo: str | None = None


class DoctorReport(View):
    """`xdpwall doctor`."""

    checks: list[Check]

    @property
    def worst(self) -> Literal["pass", "warn", "fail"]:
        """The worst status among the checks."""
        seen = {c.status for c in self.checks}
        return "fail" if "fail" in seen else "warn" if "warn" in seen else "pass"
