"""The choice between the service and acting in this process.

The socket answers for this state folder and this network namespace: through the service. It
answers for another: refused. Nobody answers: the instance is opened in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from xdpwall.cli.options import invocation
from xdpwall.errors import Conflict
from xdpwall.instance.namespace import instance_digest, netns_inode
from xdpwall.values.switched_off import HELD_BY_KERNEL, SWITCHED_OFF

from .http import ServiceTransport

if TYPE_CHECKING:
    from xdpwall.firewall.facade import Facade
    from xdpwall.firewall.firewall import Firewall
    from xdpwall.settings import Settings


@contextmanager
def open_firewall() -> Iterator[Facade]:
    """The firewall that this invocation is about, closed at the end."""
    settings = invocation.get().settings()
    transport = find_service(settings)
    if transport is not None:
        from .remote import RemoteFirewall

        yield RemoteFirewall(transport)
        return
    from xdpwall.firewall.firewall import Firewall

    local = Firewall.open(settings)
    try:
        yield local
    finally:
        if local.has_news:
            # The second copy of the state is written after the answer.
            invocation.get().finishing.append(lambda: _close(local))
        else:
            local.close()


def _close(local: Firewall) -> str | None:
    local.close()
    return local.copy_error


@dataclass(frozen=True, slots=True)
class RuleListSource:
    """Where `rule list` reads."""

    read: Callable[[], dict[str, Any]]
    """The `RuleList` as JSON."""
    is_off: Callable[[], bool]
    """Whether the firewall is switched off."""
    warnings: Callable[[], list[str]]
    """What to know before the rules: that it is switched off, that they are not those in force."""


@contextmanager
def open_rule_list(*, again: bool) -> Iterator[RuleListSource]:
    """The source of the rules. `again`: it will be read more than once.

    Models are imported only where they are needed: that takes longer than to list a few rules.
    """
    settings = invocation.get().settings()
    transport = find_service(settings)
    if transport is not None:
        yield RuleListSource(
            lambda: _checked_list(transport),
            lambda: SWITCHED_OFF in _problems(transport),
            lambda: _told_by(transport),
        )
        return
    from xdpwall.firewall.rule_list_fast import is_switched_off, list_rules

    is_off = partial(is_switched_off, settings.bpffs)
    if not again and (found := list_rules(settings)) is not None:
        yield RuleListSource(lambda: found, is_off, lambda: _about_rules((), is_off()))
        return
    from xdpwall.firewall.firewall import Firewall

    with Firewall.open(settings) as local:
        yield RuleListSource(
            lambda: local.rules().to_json(),
            is_off,
            lambda: _about_rules(local.health().problems, is_off()),
        )


def _problems(transport: ServiceTransport) -> list[str]:
    health = transport.probe()
    return list(health.get("problems", ())) if isinstance(health, dict) else []


def _told_by(transport: ServiceTransport) -> list[str]:
    problems = _problems(transport)
    return _about_rules(problems, SWITCHED_OFF in problems)


def _about_rules(problems: Sequence[str], off: bool) -> list[str]:
    return [SWITCHED_OFF] * off + [one for one in problems if HELD_BY_KERNEL in one]


def _checked_list(transport: ServiceTransport) -> dict[str, Any]:
    from xdpwall.firewall.rule_list_shape import is_rule_list

    body = transport.call("GET", "/rules").body
    if is_rule_list(body):
        return cast(dict[str, Any], body)
    from .remote import rules_of

    return rules_of(body).to_json()


def find_service(settings: Settings, *, patience: float | None = None) -> ServiceTransport | None:
    """The service of this instance; None when nobody listens; Conflict when it is another's. `patience`
    as for ServiceTransport."""
    transport = ServiceTransport(settings.socket, patience=patience)
    health = transport.probe()
    if health is None:
        return None
    _check_same(settings, health)
    return transport


def _check_same(settings: Settings, health: Any) -> None:
    here = netns_inode()
    told = health if isinstance(health, dict) else {}
    there, digest = told.get("netns"), told.get("state_dir_id")
    if there == here and digest == instance_digest(settings.state_dir, here):
        return
    if isinstance(there, int) and there != here:
        raise Conflict(
            f"the service at {settings.socket} works in another network namespace "
            f"({there}; this one is {here})",
            code="other-namespace",
            hint="run the command in the service's namespace (nsenter --net=...), or give an "
            "instance of its own: --state-dir, --bpffs and --socket",
        )
    raise Conflict(
        f"the service at {settings.socket} keeps another state folder than {settings.state_dir}",
        code="other-instance",
        field="state_dir",
        value=str(settings.state_dir),
        hint="give the service's --state-dir, or another --socket",
    )
