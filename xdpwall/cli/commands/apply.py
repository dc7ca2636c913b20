"""xdpwall apply, export"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import (
    Invocation,
    allow_empty,
    change_options,
    common_options,
    invocation,
    most_shrink,
)
from xdpwall.cli.ruleset_input import read_ruleset
from xdpwall.cli.terminal.losses import tell_losses
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_pending, print_warnings
from xdpwall.cli.terminal.text import with_prefix
from xdpwall.errors import InvalidInput

if TYPE_CHECKING:
    from xdpwall.ruleset.policy import Policy
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.views.status import ApplyOutcome

LISTED = 1000
"""Entries of a set that is written packed when it has more."""


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would change and which memory and programs that takes, and change nothing.",
)
@click.option(
    "--adopt", is_flag=True, help="Also in the place of what the state folder does not know."
)
@allow_empty
@most_shrink
@change_options(guarded=True, asks=True, confirms=True)
@common_options()
def apply(
    file: str,
    dry_run: bool,
    adopt: bool,
    may_empty: bool,
    shrink: int | None,
) -> None:
    """Make the kernel hold exactly this ruleset, in one switch.

    The file is YAML or JSON, as export writes it; - is standard input. Rules that stay the same
    keep id and counters. Without `attachments` in the file those in place stay; with it they
    become exactly these. A set whose `file` lists nothing keeps what it holds: that is refused
    unless --allow-empty is given; `entries: []` empties it. Where the policy turns to drop, what no rule accepts of what this host
    does now is said first, and asked about on a terminal.

    Where the state folder was lost or is another's, --adopt puts the file's ruleset in the place of the
    one in force: each interface goes from the old to the new in one step, without a moment unfiltered.

    \b
    Examples:
      xdpwall apply office.yaml --dry-run
      xdpwall apply office.yaml --message 'ticket 4711'
      xdpwall export | sed s/eth0/eth1/ | xdpwall apply -
    """
    asked = invocation.get()
    ruleset = _with_limits(read_ruleset(file), may_empty, shrink)
    with open_firewall() as fw:
        said: list[str] = []
        if not dry_run and _drops_more(ruleset.policy, fw.policy()):
            said = tell_losses(fw.apply(ruleset, dry_run=True, adopt=adopt), asked)
        outcome = fw.apply(ruleset, dry_run=dry_run, adopt=adopt, by=asked.author())
    print_warnings([one for one in outcome.warnings if one not in said], asked)
    print_pending(outcome.pending, asked)
    names = [*outcome.added, *outcome.changed, *outcome.moved, *outcome.removed]
    Printer(asked).show(
        outcome.to_json, lambda: dict.fromkeys(names), lambda: _print_words(outcome, asked)
    )


def _print_words(outcome: ApplyOutcome, asked: Invocation) -> None:
    print_note(_words(outcome), asked)
    needs = outcome.needs
    if needs is None:
        return
    for one in needs.programs:
        size = f"{one.instructions:,} instructions, {with_prefix(one.bytes, 'B')}"
        print_note(f"takes a program for {one.attachment}: {size}", asked)
    memory, now = (with_prefix(n, "B") for n in (needs.map_bytes, needs.map_bytes_now))
    print_note(f"takes {memory} of maps; there are {now} now", asked)


@click.command()
@click.option("--no-sets", is_flag=True, help="Leave out what sets hold; apply keeps it then.")
@common_options()
def export(no_sets: bool) -> None:
    """Write the ruleset as apply reads it: policy, sets, rules and attachments.

    YAML, or JSON with -j. The entries of a set are listed one a line; of more than 1,000 only
    those that expire are, and the others are packed: `xdpwall set list NAME --all` lists them. A
    terminal gets no sets then, which a file does.

    \b
    Examples:
      xdpwall export > office.yaml
      xdpwall export --no-sets > rules-alone.yaml
      xdpwall export -j | jq '.rules | length'
    """
    asked = invocation.get()
    with open_firewall() as fw:
        _, ruleset = fw.ruleset(sets=not no_sets)
    if not no_sets and not ruleset.sets:
        ruleset = replace(ruleset, sets=None)
    large = {n: len(c) for n, c in (ruleset.sets or {}).items() if len(c) > LISTED}
    if large and sys.stdout.isatty():
        ruleset = replace(ruleset, sets=None)
        named = ", ".join(f"{name} has {count:,} entries" for name, count in large.items())
        print_warnings(
            [f"sets are left out, too large for a terminal ({named}): xdpwall export > FILE"], asked
        )
    else:
        for name, count in large.items():
            print_note(f"set {name}: {count:,} entries, written packed", asked)
    if asked.output == "json":
        Printer(asked).json(ruleset.to_json())
        return
    if asked.output == "name":
        raise InvalidInput("export has no names to print", field="output", hint="-o yaml or json")
    from xdpwall.formats.ruleset_file import MAX_BYTES, dump_ruleset

    text = dump_ruleset(ruleset, format="yaml")
    if len(text) > MAX_BYTES:
        size = f"{len(text) >> 20} MiB are more than the {MAX_BYTES >> 20} MiB that apply takes"
        print_warnings(
            [f"{size}: export --no-sets, and each set by: set list NAME --all -q"], asked
        )
    Printer(asked).text(text)


def _with_limits(ruleset: Ruleset, may_empty: bool, shrink: int | None) -> Ruleset:
    """The ruleset with what the options say of all its sets."""
    sets = dict(ruleset.sets or {})
    if may_empty:
        sets = {name: replace(content, allow_empty=True) for name, content in sets.items()}
    if shrink is not None:
        sets = {name: replace(content, most_shrink=shrink) for name, content in sets.items()}
    return replace(ruleset, sets=sets) if sets else ruleset


def _drops_more(wanted: Policy, there: Policy) -> bool:
    return any(
        new != old and new in ("drop", "judge")
        for new, old in zip(wanted.to_json().values(), there.to_json().values(), strict=True)
    )


def _words(outcome: ApplyOutcome) -> str:
    counts = [
        f"{len(names)} {what}"
        for what, names in (
            ("added", outcome.added),
            ("changed", outcome.changed),
            ("moved", outcome.moved),
            ("removed", outcome.removed),
        )
        if names
    ]
    parts = [*counts, f"{outcome.kept} kept"]
    parts += ["policy changed"] if outcome.policy_changed else []
    parts += ["timeouts of flows changed"] if outcome.timeouts_changed else []
    parts += [f"set {name} made" for name in outcome.sets_added]
    parts += [f"set {name} replaced" for name in outcome.sets_replaced]
    parts += [f"set {name} deleted" for name in outcome.sets_removed]
    parts += [f"attached {name}" for name in outcome.attached]
    parts += [f"detached {name}" for name in outcome.detached]
    if outcome.adopted:
        parts.insert(0, "in the place of what the state folder did not know")
    if len(parts) == 1:
        rules = "rule" if outcome.kept == 1 else "rules"
        return f"unchanged: revision {outcome.revision} is this ruleset, {outcome.kept} {rules}"
    head = "would be applied" if outcome.dry_run else f"applied as revision {outcome.revision}"
    return f"{head}: {', '.join(parts)}"
