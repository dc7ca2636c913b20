"""The check of `xdpwall doctor` of the kernel's SYN cookies, which rules with `cookie` answer with."""

from __future__ import annotations

from pathlib import Path

from xdpwall.views.doctor import Check

_SETTING = Path("/proc/sys/net/ipv4/tcp_syncookies")
"""Of this network namespace, for both families."""
_CURE = "sysctl net.ipv4.tcp_syncookies=1"


def check_cookies(setting: Path = _SETTING) -> Check:
    """Whether listening sockets of this namespace may ask for cookies, and when."""
    try:
        value = setting.read_text(encoding="ascii").strip()
    except OSError:
        return _check("warn", "this kernel has none: rules with `cookie` let every SYN pass")
    if value == "0":
        return _check("warn", "off: rules with `cookie` let every SYN pass", _CURE)
    if value == "2":
        found = (
            "2, for every SYN: connections do without window scaling and SACK, and where docker-proxy"
            " listens on a published port, SYNs for the container are answered in its place"
        )
        return _check("warn", found, _CURE)
    return _check("pass", f"{value}: asked for when the queue of a listening socket is full")


def _check(status: str, found: str, todo: str | None = None) -> Check:
    return Check.model_validate(
        {"name": "SYN cookies", "status": status, "found": found, "todo": todo}
    )
