"""Tiny BPF objects, compiled when a test asks and kept for the session."""

from __future__ import annotations

import functools
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from xdpwall.kernel.objects import load_object
from xdpwall.kernel.programs import BPF_F_XDP_HAS_FRAGS, Program

_SOURCE = """
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int xdp_pass(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int xdp_other(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int xdp_drop(struct xdp_md *ctx) { return XDP_DROP; }
SEC("tc") int tc_pass(struct __sk_buff *skb) { return TC_ACT_UNSPEC; }
SEC("tc") int tc_ok(struct __sk_buff *skb) { return TC_ACT_OK; }
SEC("tc") int tc_drop(struct __sk_buff *skb) { return TC_ACT_SHOT; }
char _license[] SEC("license") = "GPL";
"""


@functools.cache
def tiny_object() -> bytes:
    """The object above as clang makes it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "tiny.bpf.c", Path(folder) / "tiny.bpf.o"
        source.write_text(_SOURCE)
        include = f"-I/usr/include/{sysconfig.get_config_var('MULTIARCH')}"  # asm/types.h
        subprocess.run(
            ["clang", "-O2", "-g", "-target", "bpf", include, "-c", source, "-o", target],
            check=True,
        )
        return target.read_bytes()


def tiny(name: str, *, frags: bool = False) -> Program:
    """A freshly loaded program of the object above; the caller closes it."""
    loaded = load_object(
        tiny_object(),
        rodata={},
        sizes={},
        reuse={},
        programs={name},
        flags={name: BPF_F_XDP_HAS_FRAGS} if frags else {},
    )
    return loaded.programs[name]
