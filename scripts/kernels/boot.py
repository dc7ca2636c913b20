"""Boot a kernel under emulation, with this machine's files as its root, and run a command in it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.kernels.debian import Kernel

INSIDE = Path(__file__).with_name("inside.sh")
EMULATION = (
    # One thread for all CPUs: with one each, QEMU 7.2 now and then runs stale code while the guest's
    # kernel rewrites its own, as it does when an XDP program is attached (a panic, "Oops: int3").
    "-accel tcg,thread=single"
    # What inside.sh mounts as `cached`.
    " -fsdev local,id=cached,path=/,security_model=none,readonly=on,multidevs=remap"
    " -device virtio-9p-pci,fsdev=cached,mount_tag=cached"
    # numpy sorts by AVX2 where there is some, and QEMU 7.2 emulates it wrong: np.argsort errs.
    " -cpu max,-avx2"
)


def run(
    kernel: Kernel,
    argv: Sequence[str],
    results: Path,
    *,
    seconds: float,
    verbose: bool,
    devices: str = "",
    modules: Sequence[str] = (),
) -> bool:
    """Run argv in this folder, inside; what it prints is shown. False when the time was up.

    `verbose`: what the guest's kernel says is shown too. `devices`: options of QEMU for more of them;
    `modules`: what drives them.
    The guest's root is read-only; /run is its own (TMPDIR is there), and only `results` comes back.
    """
    tools = Path(sys.executable).parent  # vng starts its neighbours by name
    vng = [
        str(tools / "vng"),
        f"--run={kernel.image}",
        "--disable-kvm",
        "--cpus=2",
        "--memory=3G",
        "--force-9p",
        *(["--verbose"] if verbose else []),
        f"--rwdir={results}",
        f"--qemu-opts={EMULATION} {devices}",
        "--",
        shlex.join([str(INSIDE), str(results), " ".join(["tun", *modules]), *argv]),
    ]
    # script lends the terminal that vng wants, also where there is none.
    process = subprocess.Popen(
        ["script", "-qec", shlex.join(vng), "/dev/null"],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    finally:
        process.terminate()  # takes the emulator with it, by way of the terminal
        process.wait()
    return True
