"""Compile small BPF objects for a test."""

from __future__ import annotations

import platform
from pathlib import Path

from tests.support.net.netns import command

_HEAD = """
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
char _license[] SEC("license") = "GPL";
"""


def compile_bpf(folder: Path, source: str) -> Path:
    """Compile C (includes and licence are given) into an object in `folder`."""
    text, built = folder / "test.bpf.c", folder / "test.bpf.o"
    text.write_text(_HEAD + source)
    include = f"/usr/include/{platform.machine()}-linux-gnu"
    flags = ("-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-idirafter", include)
    command("clang", *flags, "-c", str(text), "-o", str(built))
    return built
