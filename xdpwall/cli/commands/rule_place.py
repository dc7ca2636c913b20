"""Where a rule goes: --at, --before and --after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xdpwall.cli.shell_complete import complete_rule_ids
from xdpwall.cli.terminal.problems import require

if TYPE_CHECKING:
    from xdpwall.ruleset.edits import Where

F = TypeVar("F", bound=Callable[..., Any])


def place_options(help_at: str) -> Callable[[F], F]:
    """Add --at, --before and --after."""

    def decorate(function: F) -> F:
        for name, text in (
            ("after", "Right behind that rule."),
            ("before", "Right in front of that rule."),
        ):
            function = click.option(
                f"--{name}", metavar="ID", shell_complete=complete_rule_ids, help=text
            )(function)
        return click.option("--at", type=int, metavar="N", help=help_at)(function)

    return decorate


def read_place(at: int | None, before: str | None, after: str | None) -> Where | None:
    """The place that the options name; None when they name none, InvalidInput when two do."""
    given = {"at": at, "before": before, "after": after}
    said = [name for name, value in given.items() if value is not None]
    require(
        len(said) <= 1,
        f"--{' and --'.join(said)} both say where it goes",
        field=said[-1] if said else "at",
        hint="give one of them",
    )
    if before is None and after is None:
        return at
    from xdpwall.ruleset.edits import Beside

    return Beside("before", before) if before is not None else Beside("after", str(after))
