"""Guides whose commands are run: the console blocks of a page, played line by line in namespaces.

    # xdpwall attach docker0            on the machine that filters
    client# ping -c 2 198.51.100.1      on another machine

What a command prints must be what the page shows, but for times, numbers of processes and programs, and the
blanks of columns; `...` stands for any lines.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.support import PATIENCE, clean_environment, invoke
from tests.support.net.netns import Namespace

_PROMPT = re.compile(r"(?:(?P<host>[a-z]+))?# (?P<command>\S.*)")
_SHELL = re.compile(r"[|<>;&$`*]|xdpwall events")
"""What only a shell understands, and a command that prints on both streams in turn."""
_FENCE = "```console"
ANY = "..."
_BLURRED = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "TIME"),
    (re.compile(r"\d\d:\d\d:\d\d\.\d+"), "TIME"),
    (re.compile(r"\b(?:\d+d)?(?:\d+h)?(?:\d+m)?\d+s\b|\b\d+m\b(?!s)"), "AGE"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|us|s)\b"), "AGE"),
    (re.compile(r"\b\d{5}(?= > )"), "PORT"),
    (re.compile(r"(?<=rtt min/avg/max/mdev = )[\d./]+"), "AGES"),
    (re.compile(r"\b(id|process|pid|seq|index|ID:) ?=?\d+"), r"\1 N"),
    (re.compile(r"\s+"), " "),
)


@dataclass(slots=True)
class Step:
    """One command of a page, and what the page says that it prints. `line` is that of the command."""

    line: int
    host: str
    command: str
    printed: list[str] = field(default_factory=list)


def steps_of(text: str) -> Iterator[Step]:
    """The commands of the console blocks."""
    step, inside = None, False
    for number, line in enumerate(text.splitlines()):
        if line.startswith("```"):
            if step is not None:
                yield step
            step, inside = None, line.startswith(_FENCE)
        elif inside and (match := _PROMPT.fullmatch(line)):
            if step is not None:
                yield step
            step = Step(number, match["host"] or "", match["command"])
        elif inside and step is not None:
            step.printed.append(line)


class Player:
    """Runs commands where they belong: `xdpwall` is this checkout's, on an instance of its own."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], hosts: Mapping[str, Namespace]
    ) -> None:
        """`hosts`: by the word in front of the prompt; "" is the machine that filters."""
        self.hosts = hosts
        self.work = folder / "work"
        self.work.mkdir()
        tools = folder / "bin"
        tools.mkdir()
        shim = tools / "xdpwall"
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m xdpwall "$@"\n')
        shim.chmod(0o755)
        found = clean_environment(**env, LC_ALL="C.UTF-8", COLUMNS="200")
        self.env = {**found, "PATH": f"{tools}:{found['PATH']}"}

    def run(self, step: Step) -> list[str]:
        """What a command prints, on both streams."""
        host = self.hosts[step.host]
        if step.command.startswith("xdpwall ") and not _SHELL.search(step.command):
            with host.inside():  # as a process of its own it takes ten times as long
                result = invoke(*shlex.split(step.command)[1:], env=dict(self.env))
            return [line.rstrip() for line in result.output.splitlines()]
        done = subprocess.run(
            host.argv("bash", "-c", step.command),
            check=False, cwd=self.work, env=self.env, timeout=PATIENCE, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return [line.rstrip() for line in done.stdout.splitlines()]


def blurred(line: str) -> str:
    """A line without what differs from one run to the next."""
    for pattern, word in _BLURRED:
        line = pattern.sub(word, line)
    return line.strip()


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether what was printed is what the page shows."""
    wanted = [ANY if line.strip() == ANY else blurred(line) for line in shown if line.strip()]
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line == ANY else re.escape(line) + r"\n" for line in wanted
    )
    text = "".join(f"{blurred(line)}\n" for line in printed if line.strip())
    return re.fullmatch(pattern, text) is not None


def recorded(text: str, printed: Mapping[int, list[str]]) -> str:
    """The page with what its commands have printed, by their lines, in the place of what it said; a command
    whose output is left out by `...` keeps that."""
    steps = {step.line: step for step in steps_of(text)}
    lines, out, skip = text.splitlines(), [], 0
    for number, line in enumerate(lines):
        if skip:
            skip -= 1
            continue
        out.append(line)
        step = steps.get(number)
        if step is not None and ANY not in [one.strip() for one in step.printed]:
            out += printed[number]
            skip = len(step.printed)
    return "\n".join(out) + "\n"
