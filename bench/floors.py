"""The two programs that figures are held against, compiled and loaded for this run."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpwall.kernel.objects import load_object
from xdpwall.kernel.programs import Program

from .rounds import DROP, PARSE, Hook

SOURCE = Path(__file__).with_name("floor.bpf.c")


@contextmanager
def floors(folder: Path) -> Iterator[dict[tuple[str, Hook], Program]]:
    """(name, hook) -> program; `folder` takes the object."""
    built = folder / "floor.bpf.o"
    include = f"/usr/include/{platform.machine()}-linux-gnu"
    flags = ("-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3", "-idirafter", include)
    subprocess.run(["clang", *flags, "-c", str(SOURCE), "-o", str(built)], check=True)
    hooks: tuple[Hook, ...] = ("xdp", "tc")
    with load_object(built) as loaded:
        yield {
            (name, hook): loaded.programs[f"floor_{hook}_{short}"]
            for name, short in ((DROP, "drop"), (PARSE, "parse"))
            for hook in hooks
        }
