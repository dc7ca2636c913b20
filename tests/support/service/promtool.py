"""promtool, out of Debian's prometheus package."""

from __future__ import annotations

import subprocess

from tests.support.debs import unpacked


def promtool(*words: str, stdin: str = "") -> str:
    """What it printed; AssertionError with its words when it is not content."""
    program = unpacked("prometheus", "prometheus") / "usr/bin/promtool"
    done = subprocess.run(
        [str(program), *words], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"promtool {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
