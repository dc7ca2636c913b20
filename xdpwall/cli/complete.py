"""Shell completion of interfaces, rule ids and sentences. Silent when something is wrong."""

from __future__ import annotations

import socket

import click

from xdpwall.errors import XdpwallError


def interfaces(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The interfaces of this network namespace."""
    names = [name for _, name in socket.if_nameindex()]
    return sorted(name for name in names if name.startswith(incomplete))


def rule_ids(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the rules in force."""
    from xdpwall.cli.client.connect import firewall

    try:
        with firewall() as fw:
            return [rule.id for rule in fw.rules().rules if rule.id.startswith(incomplete)]
    except XdpwallError:
        return []


def set_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of the sets."""
    return [name for name in _sets() if name.startswith(incomplete)]


def _sets() -> list[str]:
    from xdpwall.cli.client.connect import firewall

    try:
        with firewall() as fw:
            return [one.name for one in fw.sets().sets]
    except XdpwallError:
        return []


def drop_reasons(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Why this kernel drops, as it calls it."""
    from xdpwall.trace.tracer import known_reasons

    try:
        return [name for name in known_reasons() if name.startswith(incomplete.upper())]
    except XdpwallError:
        return []


def sentence(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The next word of a sentence that is given as several arguments, or as one in quotes."""
    from xdpwall.rule.sentence_complete import complete
    from xdpwall.rule.sentence_read import join_words

    before = join_words([str(word) for word in ctx.params.get(str(parameter.name)) or ()])
    text = f"{before} {incomplete}".lstrip()
    names = [name for _, name in socket.if_nameindex()]
    found = complete(text, names, _sets() if incomplete.lstrip("!").startswith("@") else ())
    kept = incomplete[: len(incomplete) - (len(text) - found.word[0])]
    return [kept + one.text for one in found.completions]
