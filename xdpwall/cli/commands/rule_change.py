"""xdpwall rule add, set, delete, move, enable, disable, reset-counters, flush"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import change_options, common_options, confirm, invocation
from xdpwall.cli.shell_complete import complete_rule_ids, complete_sentence
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_pending, print_warnings
from xdpwall.errors import InvalidInput

from .rule_fields import chosen_fields, read_changes, read_rules, rule_flags
from .rule_place import place_options, read_place

if TYPE_CHECKING:
    from xdpwall.views.rules import DeleteOutcome, RuleOutcome


@click.command()
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="SENTENCE... | ACTION",
    shell_complete=complete_sentence,
)
@rule_flags
@click.option("--disabled", is_flag=True, help="Keep it, but not in force yet.")
@place_options("Its place from 1; appended when absent.")
@click.option("--id", "rule_id", metavar="ID", help="Its name; made when absent: r1, r2, ...")
@change_options(guarded=True, confirms=True)
@common_options()
def add(
    words: tuple[str, ...],
    disabled: bool,
    at: int | None,
    before: str | None,
    after: str | None,
    rule_id: str | None,
) -> None:
    """Add a rule, as a sentence or as an action with flags.

    A sentence is an action (drop, accept, count), a protocol and clauses in any order:
    from, to, sport, on, in, out, vlan, flags, length, ttl, fragment, ethertype, limit, over, for,
    until, comment, disabled; `not` in front of a value turns it round. Several quoted sentences are
    added in one change.

    \b
    Examples:
      xdpwall rule add drop icmp on docker0
      xdpwall rule add accept tcp/22 from not 10.0.0.0/8 on eth0 in --at 1
      xdpwall rule add drop udp/dns --before office
      xdpwall rule add drop tcp/22 flags syn/syn,ack over 6/m burst 6 per src
      xdpwall rule add drop --proto udp --dport 53,5353 --iface eth0 --id nodns
      xdpwall rule add 'drop icmp on docker0' 'drop icmpv6 on docker0'
    """
    fields = chosen_fields()
    if disabled:
        fields["enabled"] = False
    rules = read_rules(words, fields, rule_id)
    where = read_place(at, before, after)
    with open_firewall() as fw:
        outcome = fw.add_rules(rules, at=where, by=invocation.get().author())
    _report(outcome, "added", single=len(rules) == 1)


@click.command(name="set")
@click.argument("rule_id", metavar="ID", shell_complete=complete_rule_ids)
@click.argument("words", nargs=-1, metavar="[SENTENCE...]", shell_complete=complete_sentence)
@rule_flags
@click.option("--action", type=click.Choice(("drop", "accept", "count")), help="What it does.")
@click.option("--unset", multiple=True, metavar="FIELD", help="Take a field away; repeatable.")
@change_options(guarded=True, confirms=True)
@common_options()
def set_(rule_id: str, words: tuple[str, ...], action: str | None, unset: tuple[str, ...]) -> None:
    """Change a rule: only what is named changes.

    Name it by flags, or by a sentence, whose action may be left out. Counters start at 0 when a
    match field or the action changes, and are kept otherwise.

    \b
    Examples:
      xdpwall rule set noping on eth1
      xdpwall rule set web --dport 80,443 --comment 'HTTPS too'
      xdpwall rule set office --unset src --unset comment
    """
    fields = chosen_fields()
    if action is not None:
        fields["action"] = action
    changes = read_changes(words, fields, unset)
    with open_firewall() as fw:
        outcome = fw.set_rule(rule_id, changes, by=invocation.get().author())
    _report(outcome, "changed", single=True)


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_rule_ids)
@click.option("--ignore-missing", is_flag=True, help="An id that is not there is no error.")
@change_options(guarded=True, confirms=True)
@common_options()
def delete(ids: tuple[str, ...], ignore_missing: bool) -> None:
    """Delete rules, all of them or, when one is not there, none.

    \b
    Examples:
      xdpwall rule delete noping
      xdpwall rule rm r1 r2 --ignore-missing
    """
    author = invocation.get().author()
    with open_firewall() as fw:
        wanted = list(dict.fromkeys(ids))
        if ignore_missing:
            listed = fw.rules()
            there = {rule.id for rule in listed.rules}
            wanted = [name for name in wanted if name in there]
            if not wanted:
                from xdpwall.views.rules import DeleteOutcome

                _deleted(DeleteOutcome(revision=listed.revision, deleted=[]))
                return
        outcome = fw.delete_rules(wanted, by=author)
    _deleted(outcome)


@click.command()
@change_options(guarded=True, asks=True, confirms=True)
@common_options()
def flush() -> None:
    """Delete every rule. The policy stays and decides from then on.

    Asks on a terminal; off a terminal it needs -y.

    \b
    Examples:
      xdpwall rule flush -y
    """
    confirm("Delete every rule?")
    with open_firewall() as fw:
        outcome = fw.flush(by=invocation.get().author())
    _deleted(outcome)


@click.command()
@click.argument("rule_id", metavar="ID", shell_complete=complete_rule_ids)
@place_options("Its place after the move.")
@change_options(guarded=True, confirms=True)
@common_options()
def move(rule_id: str, at: int | None, before: str | None, after: str | None) -> None:
    """Move a rule to another place; the others close up. Counters are kept.

    \b
    Examples:
      xdpwall rule move office --at 1
      xdpwall rule move office --before noping
    """
    where = read_place(at, before, after)
    if where is None:
        raise InvalidInput(
            "at: where to is missing", field="at", hint="--at N, --before ID or --after ID"
        )
    with open_firewall() as fw:
        outcome = fw.move_rule(rule_id, where, by=invocation.get().author())
    _report(outcome, "moved", single=True)


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_rule_ids)
@change_options(guarded=True, confirms=True)
@common_options()
def enable(ids: tuple[str, ...]) -> None:
    """Put rules in force. Counters are kept.

    \b
    Examples:
      xdpwall rule enable noping
    """
    _switch(ids, True)


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_rule_ids)
@change_options(guarded=True, confirms=True)
@common_options()
def disable(ids: tuple[str, ...]) -> None:
    """Keep rules, but not in force. Counters are kept.

    \b
    Examples:
      xdpwall rule disable noping
    """
    _switch(ids, False)


def _switch(ids: tuple[str, ...], enabled: bool) -> None:
    names = list(dict.fromkeys(ids))
    with open_firewall() as fw:
        outcome = fw.enable_rules(names, enabled, by=invocation.get().author())
    _report(outcome, "enabled" if enabled else "disabled", single=len(names) == 1)


@click.command(name="reset-counters")
@click.argument("ids", nargs=-1, metavar="[ID...]", shell_complete=complete_rule_ids)
@change_options()
@common_options()
def reset_counters(ids: tuple[str, ...]) -> None:
    """Count from 0 again: the rules that are named, or all.

    \b
    Examples:
      xdpwall rule reset-counters
      xdpwall rule reset-counters noping
    """
    names = list(dict.fromkeys(ids))
    with open_firewall() as fw:
        outcome = fw.reset_counters(names or None, by=invocation.get().author())
    _report(outcome, "counts from 0", single=len(names) == 1)


def _report(outcome: RuleOutcome, what: str, *, single: bool) -> None:
    asked = invocation.get()
    print_warnings(outcome.warnings, asked)
    print_pending(outcome.pending, asked)

    def data() -> dict[str, Any]:
        answer = outcome.to_json()
        if single and len(outcome.rules) == 1:
            rest = {k: v for k, v in answer.items() if k != "rules"}
            return {**answer["rules"][0], **rest}
        return answer

    def people() -> None:
        for rule in outcome.rules:
            print_note(f"{what}: {rule.position} {rule.id}: {rule.text}", asked)

    Printer(asked).show(data, lambda: [rule.id for rule in outcome.rules], people)


def _deleted(outcome: DeleteOutcome) -> None:
    asked = invocation.get()
    print_warnings(outcome.warnings, asked)
    print_pending(outcome.pending, asked)
    words = f"deleted: {', '.join(outcome.deleted)}" if outcome.deleted else "nothing to delete"
    Printer(asked).show(outcome.to_json, lambda: outcome.deleted, lambda: print_note(words, asked))
