"""Explain a failed bpf_object__load from libbpf's log."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from xdpwall.errors import NeedsPrivileges, Unsupported, XdpwallError
from xdpwall.kernel.os_errors import describe, os_error

_SHOWN = 40

_PROGRAM = re.compile(r"prog '([^']+)': BPF program load failed")
_MAP = re.compile(r"map '([^']+)': failed to create")
_END = re.compile(r"-- END PROG LOAD LOG --")
_BEGIN = re.compile(r"-- BEGIN PROG LOAD LOG --")
_STEP = re.compile(r"^(\d+: |;|from \d+ to \d+|R\d+(_\w+)?=)")  # a step of the walk, not a reason
_STATISTICS = re.compile(r"^(processed \d+ insns|verification time|stack depth|insns processed)")


def load_error(number: int, log: Sequence[str]) -> XdpwallError:
    """The error for errno `number` of a load, `log` being libbpf's last lines.

    For a program that the verifier refuses, the message has its reason and `detail` the steps that
    led there. libbpf loads without a log first and asks for one only after a failure.
    """
    program = _first(_PROGRAM, log)
    useful = _verifier_lines(log)
    if program and useful and not _may_compare_pointers():
        # The verifier's reason would be one that root never meets.
        return NeedsPrivileges(
            f"program {program} cannot be loaded without CAP_PERFMON",
            hint="run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
            detail="\n".join([describe(number), *useful[-_SHOWN:]]),
        )
    if program and useful:
        return Unsupported(
            f"the kernel's verifier refuses program {program}: {_reason(useful)}",
            code="verifier",
            hint="report it with `uname -r` and the output of -v",
            detail="\n".join([describe(number), *useful[-_SHOWN:]]),
        )
    table = _first(_MAP, log)
    last = log[-_SHOWN:]
    if table:
        return os_error(number, f"map {table} cannot be made", more="\n".join(last))
    what = f"program {program}" if program else "the BPF object"
    if number == errno.EINVAL:  # without a log: a program type or flag that the kernel lacks
        return Unsupported(
            f"{what} is not accepted by this kernel", detail="\n".join([describe(number), *last])
        )
    return os_error(number, f"{what} cannot be loaded", more="\n".join(last))


def _may_compare_pointers() -> bool:
    from .probes import capabilities

    return not {"CAP_PERFMON", "CAP_SYS_ADMIN"}.isdisjoint(capabilities())


def _reason(lines: Sequence[str]) -> str:
    """The verifier ends with one or two lines of prose after the steps that led there."""
    prose = [line.strip() for line in lines[-2:] if not _STEP.search(line)]
    return "; ".join(prose) or lines[-1].strip()


def _first(pattern: re.Pattern[str], log: Sequence[str]) -> str | None:
    return next((found[1] for line in log if (found := pattern.search(line))), None)


def _verifier_lines(log: Sequence[str]) -> list[str]:
    """The verifier's lines without its statistics; the last one is its reason."""
    end = next((i for i, line in enumerate(log) if _END.search(line)), None)
    if end is None:
        return []
    begin = next((i + 1 for i, line in enumerate(log) if _BEGIN.search(line)), 0)
    lines = (line.rstrip() for line in log[begin:end])
    return [line for line in lines if line and not _STATISTICS.search(line)]
