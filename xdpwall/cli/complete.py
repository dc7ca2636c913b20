"""Shell completion of interface names and rule ids. Silent when something is wrong."""

from __future__ import annotations

import socket

import click

from ..errors import XdpwallError


def interfaces(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The interfaces of this network namespace."""
    names = [name for _, name in socket.if_nameindex()]
    return sorted(name for name in names if name.startswith(incomplete))


def rule_ids(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the rules in force."""
    from .connect import firewall

    try:
        with firewall() as fw:
            return [rule.id for rule in fw.rules().rules if rule.id.startswith(incomplete)]
    except XdpwallError:
        return []
