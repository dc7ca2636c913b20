"""What a change would end of what this host does, told before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdpwall.cli.options import Invocation, confirm_on_terminal

from .problems import print_warnings

if TYPE_CHECKING:
    from xdpwall.views.status import ApplyOutcome, PolicyOutcome


def tell_losses(dry: PolicyOutcome | ApplyOutcome, asked: Invocation) -> list[str]:
    """Say what a dry run found before the switch, and ask on a terminal where rules are missing.

    Returns the warnings that were said.
    """
    print_warnings(dry.warnings, asked)
    if count := len(dry.missing_rules):
        what = "a rule is missing" if count == 1 else f"{count} rules are missing"
        confirm_on_terminal(
            f"{what} (--add-missing adds {'it' if count == 1 else 'them'}): drop these packets from now on?"
        )
    return dry.warnings
