"""Run promtool of Debian's prometheus package."""

from __future__ import annotations

import subprocess

from tests.support.debs import unpacked


def promtool(*words: str, stdin: str = "") -> str:
    """Its stdout; AssertionError with its output when it fails."""
    program = unpacked("prometheus", "prometheus") / "usr/bin/promtool"
    done = subprocess.run(
        [str(program), *words], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"promtool {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
