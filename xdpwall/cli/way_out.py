"""Commands that must work whatever else does not: past a service that hangs, and without the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from xdpwall.errors import ServiceUnreachable

from .client.connect import find_service
from .options import invocation
from .terminal.problems import print_warnings

if TYPE_CHECKING:
    from xdpwall.firewall.facade import Facade

T = TypeVar("T")


def act_in_need(work: Callable[[Facade], T], *, seconds: float = 2.0) -> T:
    """Do it through the service where that answers each request within `seconds`, else in this process,
    which is said."""
    asked = invocation.get()
    settings = asked.settings()
    try:
        transport = find_service(settings, patience=seconds)
        if transport is not None:
            from .client.remote import RemoteFirewall

            return work(RemoteFirewall(transport))
    except ServiceUnreachable as error:
        print_warnings([f"{error.message}: done without it"], asked)
    from xdpwall.firewall.firewall import Firewall

    with Firewall(settings) as local:
        return work(local)
