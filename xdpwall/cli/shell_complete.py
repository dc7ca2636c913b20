"""Callbacks of click's shell completion: interfaces, rule ids, set names, drop reasons, sentences.

They offer nothing when the firewall cannot be read.
"""

from __future__ import annotations

import click

from xdpwall.errors import XdpwallError
from xdpwall.firewall.interface_names import selectable_names, typable_names


def complete_interfaces(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete an interface of this network namespace."""
    names = typable_names()
    return sorted(name for name in names if name.startswith(incomplete))


def complete_attached(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete an interface that has an attachment."""
    from xdpwall.cli.client.connect import open_firewall

    try:
        with open_firewall() as fw:
            names = {one.iface for one in fw.status().attachments}
    except XdpwallError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def complete_verdicts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the verdict of an event."""
    return [word for word in ("drop", "pass", "accept") if word.startswith(incomplete)]


def complete_protocols(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete the name of a protocol."""
    from xdpwall.values.protocols import PROTOCOLS

    return [name for name in PROTOCOLS if name.startswith(incomplete)]


def complete_rule_ids(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the id of a rule."""
    from xdpwall.cli.client.connect import open_firewall

    try:
        with open_firewall() as fw:
            return [rule.id for rule in fw.rules().rules if rule.id.startswith(incomplete)]
    except XdpwallError:
        return []


def complete_set_names(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete the name of a set."""
    return [name for name in _set_names() if name.startswith(incomplete)]


def _set_names() -> list[str]:
    from xdpwall.cli.client.connect import open_firewall

    try:
        with open_firewall() as fw:
            return [one.name for one in fw.sets().sets]
    except XdpwallError:
        return []


def complete_drop_reasons(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete a drop reason of this kernel."""
    from xdpwall.trace.tracer import known_reasons

    try:
        return [name for name in known_reasons() if name.startswith(incomplete.upper())]
    except XdpwallError:
        return []


def complete_sentence(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the word at the end of a sentence that is given as several arguments or as one."""
    from xdpwall.rule.sentence_complete import completions_of
    from xdpwall.rule.sentence_read import join_words

    before = join_words([str(word) for word in ctx.params.get(str(parameter.name)) or ()])
    text = f"{before} {incomplete}".lstrip()
    names = selectable_names()
    found = completions_of(
        text, names, _set_names() if incomplete.lstrip("!").startswith("@") else ()
    )
    kept = incomplete[: len(incomplete) - (len(text) - found.word[0])]
    return [kept + one.text for one in found.completions]
