"""Running the command line in tests: in this process for tables, as a process for the real thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.support.net.netns import Namespace
from tests.support.paths import ROOT
from tests.support.service.service import Service
from xdpwall.cli.main import cli

PATIENCE = 300.0
"""Seconds that any command may take."""
UNWANTED = ("SSH_CONNECTION", "NO_COLOR", "SUDO_UID", "XDPWALL_TEST_CRASH_AT")


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what changes the command line's answers."""
    kept = {k: v for k, v in os.environ.items() if k not in UNWANTED}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", **more}


def invoke(
    *args: str, env: dict[str, str | None] | None = None, stdin: str | None = None
) -> Result:
    """One command line in this process, as `xdpwall ARGS`."""
    wiped: dict[str, str | None] = dict.fromkeys(UNWANTED)
    return CliRunner().invoke(cli, list(args), env={**wiped, **(env or {})}, input=stdin)


@dataclass
class Instance:
    """One instance's places, and the command line for it, in a namespace when there is one."""

    state_dir: Path
    bpffs: Path
    socket: Path
    space: Namespace | None = None
    box: Namespace | None = None
    service: Service | None = None

    @property
    def env(self) -> dict[str, str]:
        """The environment that names the instance."""
        return {
            "XDPWALL_STATE_DIR": str(self.state_dir),
            "XDPWALL_BPFFS": str(self.bpffs),
            "XDPWALL_SOCKET": str(self.socket),
        }

    def argv(self, *args: str, wrap: Sequence[str] = ()) -> list[str]:
        """The command line; `wrap` goes in front of the interpreter."""
        inside = [*wrap, sys.executable, "-m", "xdpwall", *args]
        return self.space.argv(*inside) if self.space else inside

    def run(
        self,
        *args: str,
        stdin: str = "",
        wrap: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, as a process of its own."""
        return subprocess.run(
            self.argv(*args, wrap=wrap),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            cwd=ROOT,
            env=clean_environment(**self.env, **(env or {})),
        )

    def ok(self, *args: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """Run, expect 0, and return stdout."""
        done = self.run(*args, stdin=stdin, env=env)
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *args: str) -> Any:
        """What `-j` prints, here in this process."""
        done = self.here(*args, "-j")
        assert done.exit_code == 0, f"{args}: {done.exit_code}\n{done.output}"
        return json.loads(done.stdout)

    def done(self, *args: str, stdin: str | None = None) -> str:
        """The words on stderr of a command that ends with 0, here in this process."""
        result = self.here(*args, stdin=stdin)
        assert result.exit_code == 0, f"{args}: {result.exit_code}\n{result.output}"
        return result.stderr

    def here(self, *args: str, stdin: str | None = None, **env: str | None) -> Result:
        """Run in this process (and this thread's namespace): quick, for tables of input."""
        return invoke(*args, env={**self.env, **env}, stdin=stdin)
