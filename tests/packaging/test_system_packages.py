"""scripts/install-system-packages on a host where packages are missing and cannot be installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.paths import ROOT

SCRIPT = ROOT / "scripts/install-system-packages"


def run(*groups: str, tools: Path) -> subprocess.CompletedProcess[str]:
    """Run the script seeing only `tools`."""
    return subprocess.run(
        ["/bin/sh", SCRIPT, *groups],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )


def tool(folder: Path, name: str, script: str) -> None:
    """A program of this name in the folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_root_it_names_what_is_missing_and_how_to_install_it(tmp_path: Path) -> None:
    tool(tmp_path, "dpkg-query", 'case "$*" in *clang*|*iproute2*) ;; *) echo installed ;; esac')
    tool(tmp_path, "apt-get", "echo apt-get must not run >&2; exit 9")
    tool(tmp_path, "id", "echo 1000")
    done = run("build", tools=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "error: these packages are missing: clang iproute2\n"
        "hint: sudo apt-get install --no-install-recommends clang iproute2\n"
    )


def test_with_everything_there_it_says_and_does_nothing(tmp_path: Path) -> None:
    tool(tmp_path, "dpkg-query", "echo installed")
    tool(tmp_path, "apt-get", "echo apt-get must not run >&2; exit 9")
    done = run("build", "demo", "test", tools=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_elsewhere_than_on_debian_it_names_the_tool_that_is_missing(tmp_path: Path) -> None:
    tool(tmp_path, "clang", "")
    done = run("build", tools=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: llvm-strip is missing, and this is not a Debian system\n")


def test_another_word_is_refused(tmp_path: Path) -> None:
    done = run("everything", tools=tmp_path)
    assert done.returncode == 2
    assert "usage: install-system-packages build|demo|test" in done.stderr
