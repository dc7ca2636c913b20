"""xdpwall token add, list, revoke, rotate"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.lazy import LazyCommand, LazyGroup
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.terminal.output import Column, Printer
from xdpwall.cli.terminal.problems import print_note
from xdpwall.cli.terminal.text import time_left
from xdpwall.values.roles import ROLES

if TYPE_CHECKING:
    from xdpwall.views.tokens import TokenOutcome, TokenView

TABLE = {
    "add": LazyCommand("token:add", "Make a token, and print its secret once"),
    "list": LazyCommand("token:list_", "List the tokens, and when each was used last"),
    "revoke": LazyCommand("token:revoke", "Refuse tokens from now on"),
    "rotate": LazyCommand("token:rotate", "Give a token a new secret"),
}


@click.group(
    name="token",
    cls=LazyGroup,
    table=TABLE,
    synonyms={"ls": "list", "rm": "revoke"},
    no_args_is_help=True,
)
@common_options()
def token() -> None:
    """Tokens: what programs and people show to come in over TCP.

    Each has a role, which covers those before it: metrics (GET /metrics), read (all that changes nothing,
    but for packet bytes), operator (rules, sets, blocks, policy, confirm, rollback), admin (everything).
    Of a secret only a hash is kept: who loses one gets a new one by `rotate`.

    \b
    Examples:
      sudo xdpwall token add prometheus --role metrics --from 10.0.0.5 > /etc/prometheus/xdpwall-token
      sudo xdpwall token add deploy --role operator --expires 90d
      sudo xdpwall token list
      sudo xdpwall token revoke deploy
    """


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do.")
@click.option("--expires", metavar="D", help="90d, 12h, or a time; never when absent.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="CIDR",
    help="Taken from there only; may be given several times.",
)
@change_options()
@common_options()
def add(name: str, role: str, expires: str | None, sources: tuple[str, ...]) -> None:
    """Make a token. Its secret goes to stdout, once; it is not kept.

    \b
    Examples:
      sudo xdpwall token add prometheus --role metrics --from 10.0.0.5
      sudo xdpwall token add deploy --role operator --expires 90d
    """
    with open_firewall() as fw:
        made = fw.add_token(
            name, role, expires=expires, sources=sources, by=invocation.get().author()
        )
    _print_secret(made)


@click.command()
@click.argument("name", metavar="NAME")
@change_options()
@common_options()
def rotate(name: str) -> None:
    """Give a token a new secret, which goes to stdout, once. The former one is refused from then on.

    \b
    Examples:
      sudo xdpwall token rotate prometheus > /etc/prometheus/xdpwall-token
    """
    with open_firewall() as fw:
        made = fw.rotate_token(name, by=invocation.get().author())
    _print_secret(made)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@change_options()
@common_options()
def revoke(names: tuple[str, ...]) -> None:
    """Refuse tokens from now on: all of them or, where one is unknown, none. Streams that they follow end.

    \b
    Examples:
      sudo xdpwall token revoke deploy
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.revoke_tokens(names, by=asked.author())
    Printer(asked).show(
        outcome.to_json,
        lambda: outcome.revoked,
        lambda: print_note(f"revoked: {', '.join(outcome.revoked)}", asked),
    )


@click.command(name="list")
@common_options()
def list_() -> None:
    """List the tokens, without their secrets, which nobody has.

    \b
    Examples:
      sudo xdpwall token list
      sudo xdpwall token list -o json
    """
    printer = Printer(invocation.get())
    with open_firewall() as fw:
        found = fw.tokens()

    def people() -> None:
        if not found.tokens:
            printer.line("there are no tokens", "dim")
            return
        names = ("TOKEN", "ROLE", "EXPIRES", "FROM", "LAST USED", "LAST FROM")
        printer.table([Column(name) for name in names], [_row(one) for one in found.tokens])

    printer.show(found.to_json, lambda: [one.name for one in found.tokens], people)


def _row(one: TokenView) -> list[str]:
    ends = "never" if one.expires is None else "over" if one.expired else time_left(one.expires)
    return [
        one.name if one.owner is None else f"{one.name} ({one.owner})",
        one.role,
        ends,
        ",".join(one.sources) or "anywhere",
        one.last_used or "never",
        one.last_from or "-",
    ]


def _print_secret(made: TokenOutcome) -> None:
    asked = invocation.get()
    about = f"token {made.token.name}: role {made.token.role}; its secret is not shown again"

    def people() -> None:
        click.echo(made.secret)
        print_note(about, asked)

    Printer(asked).show(made.to_json, lambda: [made.secret], people)
