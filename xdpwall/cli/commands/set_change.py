"""xdpwall set create, add, remove, delete"""

from __future__ import annotations

import sys

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.shell_complete import complete_set_names
from xdpwall.cli.terminal import text
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings, require

MAX_READ = 100_000
"""Entries that are added or removed one by one, of standard input."""


@click.command()
@click.argument("name", metavar="NAME")
@change_options()
@common_options()
def create(name: str) -> None:
    """Make an empty set. One that is there already stays as it is.

    \b
    Examples:
      xdpwall set create bad
    """
    from xdpwall.values.addresses import parse_set_name

    asked = invocation.get()
    parse_set_name("name", name)
    with open_firewall() as fw:
        outcome = fw.create_set(name, by=asked.author())
    words = f"created: {name}" if outcome.changed else f"already there: {name}"
    Printer(asked).show(outcome.to_json, lambda: [name], lambda: print_note(words, asked))


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_set_names)
@click.argument("entries", nargs=-1, required=True, metavar="ENTRY...|-")
@click.option("--for", "duration", metavar="D", help="They leave by themselves after 10m, 2h, 7d.")
@change_options(guarded=True)
@common_options()
def add(name: str, entries: tuple[str, ...], duration: str | None) -> None:
    """Add addresses and prefixes: all of them or, when one is wrong, none.

    An entry that is there already gets the new time to leave, or none without --for. - is standard
    input, in the forms that `set load` takes; that keeps what the set holds.

    \b
    Examples:
      xdpwall set add bad 192.0.2.7 2001:db8:bad::/48
      xdpwall set add bad 198.51.100.0/24 --for 1h
      grep -o '[0-9.]*$' found.txt | xdpwall set add bad -
    """
    from xdpwall.values.time_read import parse_duration
    from xdpwall.values.times import expiry_after

    expires = None if duration is None else expiry_after(parse_duration("for", duration))
    _change(name, add=entries, expires=expires)


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_set_names)
@click.argument("entries", nargs=-1, required=True, metavar="ENTRY...|-")
@change_options(guarded=True)
@common_options()
def remove(name: str, entries: tuple[str, ...]) -> None:
    """Take entries out of a set. One that is not there is no error.

    It takes the entry as it was added: an address inside a prefix of the set stays in it, and a
    warning says so. - is standard input, a list as `set load` takes it.

    \b
    Examples:
      xdpwall set remove bad 192.0.2.7
      xdpwall set remove bad - < no-longer-bad.txt
    """
    _change(name, remove=entries)


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_set_names)
@click.option("--ignore-missing", is_flag=True, help="A name that is not there is no error.")
@change_options()
@common_options()
def delete(name: str, ignore_missing: bool) -> None:
    """Delete a set. One that a rule names is refused.

    \b
    Examples:
      xdpwall set delete bad
    """
    from xdpwall.errors import NotFound
    from xdpwall.views.rules import DeleteOutcome

    asked = invocation.get()
    with open_firewall() as fw:
        try:
            outcome = fw.delete_set(name, by=asked.author())
        except NotFound:
            if not ignore_missing:
                raise
            outcome = DeleteOutcome(revision=fw.status().revision, deleted=[])
    words = f"deleted: {name}" if outcome.deleted else "nothing to delete"
    Printer(asked).show(outcome.to_json, lambda: outcome.deleted, lambda: print_note(words, asked))


def _change(
    name: str,
    *,
    add: tuple[str, ...] = (),
    remove: tuple[str, ...] = (),
    expires: str | None = None,
) -> None:
    asked = invocation.get()
    add, remove = _read(add), _read(remove)
    with open_firewall() as fw:
        outcome = fw.change_set(
            name, add=list(add), remove=list(remove), expires=expires, by=asked.author()
        )
    print_warnings(outcome.warnings, asked)
    counts = (("added", outcome.added), ("removed", outcome.removed))
    parts = [f"{count:,} {what}" for what, count in counts if count]
    parts += [f"{outcome.unchanged:,} unchanged"] if outcome.unchanged else []
    words = f"{name}: {', '.join(parts)}; {text.entry_count(outcome.entries)} now"
    Printer(asked).show(outcome.to_json, lambda: [name], lambda: print_note(words, asked))


def _read(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The entries, or those that standard input lists where they are `-`."""
    if entries != ("-",):
        return entries
    from xdpwall.formats.address_list import load_address_list

    found = load_address_list(sys.stdin.buffer, name="standard input")
    require(
        not found.timeouts,
        "standard input: its entries have times of their own",
        field="file",
        hint="xdpwall set load NAME - keeps them and replaces what the set holds",
    )
    require(len(found.entries), "standard input: no entry", field="file")
    require(
        len(found.entries) <= MAX_READ,
        f"standard input: {len(found.entries):,} entries are more than {MAX_READ:,}",
        field="file",
        hint="xdpwall set load NAME FILE replaces what the set holds, at any size",
    )
    return tuple(found.entries.texts())
