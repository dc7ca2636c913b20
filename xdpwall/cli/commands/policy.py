"""xdpwall policy show, set"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.lazy import LazyCommand, LazyGroup
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.terminal.losses import tell_losses
from xdpwall.cli.terminal.output import Printer, TableCell
from xdpwall.cli.terminal.problems import print_note, print_pending, print_warnings
from xdpwall.errors import InvalidInput

if TYPE_CHECKING:
    from xdpwall.ruleset.policy import Policy

KEEP = "accept keep"

CHOICES = {
    "ingress": ("accept", "drop", "accept keep"),
    "egress": ("accept", "drop", "accept keep"),
    "non_ip": ("accept", "drop"),
    "neighbor_discovery": ("accept", "judge"),
}
_PARTS = {
    **dict.fromkeys(("in", "input", "inbound", "incoming"), "here it is called ingress"),
    **dict.fromkeys(("out", "output", "outbound", "outgoing"), "here it is called egress"),
    **dict.fromkeys(
        ("drop", "accept", "deny", "allow"), "the direction stands first: policy set ingress drop"
    ),
    "forward": "what is forwarded comes in by ingress and goes out by egress",
}
"""What other firewalls call a part of the policy: the hint for who writes it here."""
TABLE = {
    "show": LazyCommand("policy:show", "Show the policy"),
    "set": LazyCommand("policy:set_", "Change the policy"),
}


@click.group(cls=LazyGroup, table=TABLE, no_args_is_help=True)
@common_options()
def policy() -> None:
    """What happens to packets that no rule decides, per direction.

    Packets that pass by `accept keep` make flows, so that a rule `accept state established` knows the
    answers. Without flows the answers to what this host asks need rules of their own under a drop policy.

    \b
    Examples:
      xdpwall policy show
      xdpwall policy set ingress drop
      xdpwall policy set egress accept keep
    """


@click.command()
@common_options()
def show() -> None:
    """Show the policy.

    \b
    Examples:
      xdpwall policy show
      xdpwall policy show -j
    """
    printer = Printer(invocation.get())
    with open_firewall() as fw:
        found = fw.policy()
    printer.show(found.to_json, lambda: CHOICES, lambda: _facts(printer, found))


def _complete_pairs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete a part of the policy that is not named yet, or the value of the one before."""
    given = [word.replace("-", "_") for word in ctx.params.get(str(parameter.name)) or ()]
    offered = CHOICES.get(given[-1], ()) if len(given) % 2 else set(CHOICES) - set(given[::2])
    return sorted(word for word in offered if word.startswith(incomplete))


@click.command(name="set")
@click.argument(
    "pairs", nargs=-1, required=True, metavar="NAME VALUE...", shell_complete=_complete_pairs
)
@click.option("--dry-run", is_flag=True, help="Say what would be lost, and change nothing.")
@click.option(
    "--add-missing", is_flag=True, help="Add the rules that are missing, in the same change."
)
@change_options(guarded=True, asks=True, confirms=True)
@common_options()
def set_(pairs: tuple[str, ...], dry_run: bool, add_missing: bool) -> None:
    """Change the policy; several pairs are one change.

    ingress, egress and non_ip take accept or drop, the first two also `accept keep`; neighbor_discovery takes accept or judge.
    It is about IPv6 neighbour discovery and multicast listener discovery that no rule decides.
    One that would cut your own connection, or who is logged in, is refused without --force or --confirm.
    What else of what this host does now no rule accepts is said first, each with the rule to add,
    and asked about on a terminal. --add-missing adds those rules, and `egress accept keep` where answers
    need it, with the policy: all or nothing.

    \b
    Examples:
      xdpwall policy set ingress drop --dry-run
      xdpwall policy set ingress drop --add-missing --confirm 60
      xdpwall policy set ingress drop
      xdpwall policy set ingress drop egress drop neighbor_discovery judge
    """
    changes = read_pairs(pairs)
    asked = invocation.get()
    with open_firewall() as fw:
        said: list[str] = []
        if not (dry_run or add_missing) and {"drop", "judge"}.intersection(changes.values()):
            said = tell_losses(fw.set_policy(changes, dry_run=True), asked)
        outcome = fw.set_policy(
            changes, dry_run=dry_run, add_missing=add_missing, by=asked.author()
        )
    print_warnings([one for one in outcome.warnings if one not in said], asked)
    if not dry_run:  # what waits then is another change
        print_pending(outcome.pending, asked)
    now = outcome.policy.to_json()
    words = ", ".join(f"{name} {value}" for name, value in changes.items())
    head = "policy would be" if dry_run else "policy"
    if add_missing and now["egress"] == KEEP and "egress" not in changes:
        words += f", egress {KEEP}"
    Printer(asked).show(
        outcome.to_json,
        lambda: changes,
        lambda: _say([f"{head}: {words}", *(f"added: {one}" for one in outcome.added_rules)]),
    )


def _say(lines: list[str]) -> None:
    for line in lines:
        print_note(line, invocation.get())


def read_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """("ingress", "drop", ...) as a mapping; InvalidInput names what is wrong."""
    pairs = _with_keep(pairs)
    changes: dict[str, str] = {}
    for i in range(0, len(pairs), 2):
        name = pairs[i].replace("-", "_")
        if name not in CHOICES:
            raise InvalidInput(
                f"{pairs[i]!r} is no part of the policy",
                field="policy",
                value=pairs[i],
                hint=_PARTS.get(name, f"one of {', '.join(CHOICES)}"),
            )
        wanted = " or ".join(CHOICES[name])
        if i + 1 == len(pairs):
            raise InvalidInput(f"{name}: a value is missing", field=name, hint=f"{wanted}")
        value = pairs[i + 1]
        if value not in CHOICES[name]:
            from xdpwall.ruleset.policy import check_policy  # only an error needs it

            check_policy(name, value)
        if name in changes:
            raise InvalidInput(f"{name} is given twice", field=name, value=value)
        changes[name] = value
    return changes


def _with_keep(words: tuple[str, ...]) -> tuple[str, ...]:
    """`accept` and `keep` as one word where they stand unquoted; `drop keep` too, which is refused so."""
    joined: list[str] = []
    for word in words:
        if word == "keep" and joined and joined[-1] in ("accept", "drop"):
            joined[-1] += " keep"
        else:
            joined.append(word)
    return tuple(joined)


def _facts(printer: Printer, found: Policy) -> None:
    colors = {"drop": "red", "accept": "green"}
    printer.facts(
        (name, TableCell(str(value), colors.get(value))) for name, value in found.to_json().items()
    )
