"""Tiny programs, compiled once per session."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.kernel.clang import compile_bpf
from xdpwall.kernel.bpf.objects import load_object
from xdpwall.kernel.bpf.programs import BPF_F_XDP_HAS_FRAGS, Program

_SOURCE = """
SEC("xdp") int xdp_pass(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int xdp_other(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int xdp_dispatcher(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int xdp_drop(struct xdp_md *ctx) { return XDP_DROP; }
SEC("tc") int tc_pass(struct __sk_buff *skb) { return TC_ACT_UNSPEC; }
SEC("tc") int tc_ok(struct __sk_buff *skb) { return TC_ACT_OK; }
SEC("tc") int tc_drop(struct __sk_buff *skb) { return TC_ACT_SHOT; }
"""


@functools.cache
def tiny_object() -> bytes:
    """The object above as clang makes it."""
    with tempfile.TemporaryDirectory() as folder:
        return compile_bpf(Path(folder), _SOURCE).read_bytes()


def tiny(name: str, *, frags: bool = False) -> Program:
    """Load a program of the object above; the caller closes it."""
    flags = {name: BPF_F_XDP_HAS_FRAGS} if frags else {}
    return load_object(tiny_object(), programs={name}, flags=flags).programs[name]


def loader(name: str, asked: list[bool] | None = None) -> Callable[[bool], Program]:
    """A load callback for the attacher; it notes in `asked` whether frags were wanted."""

    def load(frags: bool) -> Program:
        if asked is not None:
            asked.append(frags)
        return tiny(name, frags=frags)

    return load


def never(frags: bool) -> Program:
    """A load callback where nothing has to be loaded."""
    raise AssertionError("nothing had to be loaded")
