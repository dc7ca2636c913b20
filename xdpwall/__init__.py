"""xdpwall: a packet-filter firewall manager for Linux whose data plane is XDP and tc.

The public names stand in `__all__`, each imported when it is first asked for; everything else in
the package may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .errors import XdpwallError
    from .firewall.firewall import Firewall
    from .rule.rule import Rule
    from .ruleset.ruleset import Ruleset
    from .settings import Settings

__all__ = ["Firewall", "Rule", "Ruleset", "Settings", "XdpwallError", "__version__"]

_HOMES = {
    "Firewall": "firewall.firewall",
    "Rule": "rule.rule",
    "Ruleset": "ruleset.ruleset",
    "Settings": "settings",
    "XdpwallError": "errors",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *_HOMES})
