"""The group `xdpwall rule`."""

from __future__ import annotations

import click

from xdpwall.cli.lazy import LazyCommand, LazyGroup
from xdpwall.cli.options import common_options

TABLE = {
    "add": LazyCommand("rule_change:add", "Add a rule, as a sentence or by flags"),
    "set": LazyCommand("rule_change:set_", "Change a rule: only what is named changes"),
    "list": LazyCommand("rule_list:list_", "List rules in order, with counters"),
    "show": LazyCommand("rule_list:show", "Show one rule in full"),
    "delete": LazyCommand("rule_change:delete", "Delete rules"),
    "move": LazyCommand("rule_change:move", "Move a rule to another place"),
    "enable": LazyCommand("rule_change:enable", "Put rules in force"),
    "disable": LazyCommand("rule_change:disable", "Keep rules, but not in force"),
    "reset-counters": LazyCommand("rule_change:reset_counters", "Count from 0 again"),
    "flush": LazyCommand("rule_change:flush", "Delete every rule"),
}


@click.group(
    cls=LazyGroup,
    table=TABLE,
    synonyms={"ls": "list", "rm": "delete"},
    no_args_is_help=True,
)
@common_options()
def rule() -> None:
    """Rules, in order: the first enabled one that matches and decides, decides.

    \b
    Examples:
      xdpwall rule add drop icmp on docker0
      xdpwall rule add accept tcp/22,443 from 10.0.0.0/8 --id office
      xdpwall rule list -w
      xdpwall rule move office --at 1
    """
