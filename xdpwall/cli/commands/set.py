"""The group `xdpwall set`."""

from __future__ import annotations

import click

from xdpwall.cli.lazy import LazyCommand, LazyGroup
from xdpwall.cli.options import common_options

TABLE = {
    "create": LazyCommand("set_change:create", "Make an empty set"),
    "add": LazyCommand("set_change:add", "Add addresses and prefixes to a set"),
    "remove": LazyCommand("set_change:remove", "Take entries out of a set"),
    "test": LazyCommand("set_list:test", "Whether an address is in a set"),
    "load": LazyCommand("set_load:load", "Replace a set by the addresses of a file"),
    "list": LazyCommand("set_list:list_", "List sets, or the entries of one"),
    "delete": LazyCommand("set_change:delete", "Delete a set that no rule names"),
}


@click.group(
    name="set",
    cls=LazyGroup,
    table=TABLE,
    synonyms={"ls": "list", "rm": "delete"},
    no_args_is_help=True,
)
@common_options()
def set_() -> None:
    """Sets: named addresses and prefixes of both families, changed without touching the rules.

    A rule names one as @NAME in `from` and `to`; `from not @NAME` is everybody else. Entries are
    in force when the command returns, and are no part of a revision: a rollback leaves them.

    \b
    Examples:
      xdpwall set create bad
      xdpwall rule add drop from @bad
      xdpwall set add bad 192.0.2.7 198.51.100.0/24 --for 1h
      xdpwall set load bad blocklist.txt.gz
    """
