"""xdpwall help: pages, error codes and fields in the terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import invoke
from tests.support.paths import ROOT
from xdpwall.cli.terminal.markdown import render
from xdpwall.cli.topics import topics

RUN = [sys.executable, "-c", "from xdpwall.cli.main import main; main()"]


def test_every_page_is_a_topic() -> None:
    pages = {path.resolve() for path in (ROOT / "docs").rglob("*.md")} - {ROOT / "docs/index.md"}
    assert {one.path.resolve() for one in topics()} == pages
    names = [one.name for one in topics()]
    assert len(set(names)) == len(names)
    assert invoke("help", "topics", "-o", "name").stdout.splitlines() == names
    listed = json.loads(invoke("help", "topics", "-j").stdout)
    assert {"topic": "sets", "title": "Sets"} in listed


@pytest.mark.parametrize("topic", [one.name for one in topics()])
def test_a_page_fits_a_terminal_and_says_all_of_its_words(topic: str) -> None:
    (page,) = [one for one in topics() if one.name == topic]
    shown = render(page.text, 80, color=False)
    # Code stays as it is, and a word longer than the line stays whole.
    long = [
        line
        for line in shown.splitlines()
        if len(line) > 80 and not line.startswith("    ") and len(line.split()) > 12
    ]
    assert not long
    words = set(
        re.findall(
            r"[A-Za-z]{4,}",
            re.sub(r"!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|<!--.*?-->|```\w*", "", page.text),
        )
    )
    assert words - set(re.findall(r"[A-Za-z]{4,}", shown)) == set()


def test_a_page_off_a_terminal_is_text() -> None:
    done = invoke("help", "blocks")
    assert done.exit_code == 0
    assert done.stdout.startswith("Quick blocks\n\n`xdpwall block` drops at once")
    assert "\x1b" not in done.stdout and "](" not in done.stdout
    assert invoke("help", "guides/events").stdout.startswith("Which packets, and by which rule\n")
    assert invoke("help", "events").stdout == invoke("events", "--help").stdout  # a command


def test_an_error_code_and_a_field() -> None:
    code = invoke("help", "lock-out").stdout  # a page goes before the code of its name
    assert code.startswith("The lock-out guard\n")
    code = invoke("help", "id-taken").stdout
    assert code.startswith("id-taken\n\nexit 5, HTTP 409 Conflict.\n")
    assert "\n  give another id" in code and "## " not in code
    assert invoke("help", "tcp_flags").stdout.startswith(
        "tcp_flags\n\nIn a sentence: `flags VALUE`"
    )


def test_what_is_no_topic_is_told_with_what_is_near() -> None:
    done = invoke("help", "guides/evnts")
    assert done.exit_code == 2 and "help topics" in done.stderr
    assert "did you mean 'rule-fields'?" in invoke("help", "rule-field").stderr


def test_topics_are_completed() -> None:
    def completed(words: str, at: int) -> list[str]:
        env = {"_XDPWALL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        done = subprocess.run(
            RUN, env={**os.environ, **env}, check=True, capture_output=True, text=True
        )
        return [line.split(",")[-1] for line in done.stdout.splitlines()]

    assert completed("xdpwall help first", 2) == ["first-steps"]
    assert completed("xdpwall help id-", 2) == ["id-taken"]
    assert completed("xdpwall help rule mo", 3) == ["move"]


def test_a_pager_only_on_a_terminal(tmp_path: Path) -> None:
    kept = tmp_path / "paged"
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {kept}\n")
    pager.chmod(0o755)
    env = {**os.environ, "PAGER": str(pager), "TERM": "xterm"}
    env.pop("NO_COLOR", None)
    subprocess.run([*RUN, "help", "rates"], env=env, check=True, capture_output=True)
    assert not kept.exists()
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [*RUN, "help", "rates"], env=env, check=True, stdin=theirs, stdout=theirs, stderr=theirs
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert kept.read_text().startswith("\x1b[1mRates\x1b[0m\n")
