"""The bench's own kernel programs, compiled for the run."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.packets.rounds import DROP, PARSE, Hook
from xdpwall.kernel.bpf.objects import load_object
from xdpwall.kernel.bpf.programs import Program

HERE = Path(__file__).parent
HOOKS: tuple[Hook, ...] = ("xdp", "tc")


def compile_object(name: str, folder: Path) -> Path:
    """Compile `name`.bpf.c into `folder`; the path of the object."""
    built = folder / f"{name}.bpf.o"
    include = f"/usr/include/{platform.machine()}-linux-gnu"
    flags = ("-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3", "-idirafter", include)
    source = HERE / f"{name}.bpf.c"
    subprocess.run(["clang", *flags, "-c", str(source), "-o", str(built)], check=True)
    return built


@contextmanager
def baselines(folder: Path) -> Iterator[dict[tuple[str, Hook], Program]]:
    """Load the baselines that figures are compared with: (name, hook) -> program."""
    with load_object(compile_object("baseline", folder)) as loaded:
        yield {
            (name, hook): loaded.programs[f"baseline_{hook}_{short}"]
            for name, short in ((DROP, "drop"), (PARSE, "parse"))
            for hook in HOOKS
        }
