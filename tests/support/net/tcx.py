"""Attach a foreign tcx program by a bpf_link for the duration of a `with`."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

from xdpwall.kernel.bpf.libbpf import lib
from xdpwall.kernel.bpf.programs import Program

_ATTACH_TYPES = {"ingress": 46, "egress": 47, "xdp": 37}


@contextlib.contextmanager
def attached_tcx(index: int, hook: str, program: Program) -> Iterator[None]:
    """Attach `program` at ingress or egress (tcx), or at xdp (an XDP program held by a link)."""
    create = lib().bpf_link_create
    create.restype = ctypes.c_int
    create.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    link = create(program.fileno(), index, _ATTACH_TYPES[hook], None)
    assert link >= 0, os.strerror(-link)
    try:
        yield
    finally:
        os.close(link)
