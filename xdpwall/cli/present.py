"""Now, as the instance believes it that this command is about."""

from __future__ import annotations

from .options import invocation


def seconds() -> float:
    """Seconds since 1970."""
    from xdpwall.firewall.present import believed_seconds

    return believed_seconds(invocation.get().settings())
