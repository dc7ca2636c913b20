"""What only a terminal sees: questions, colour, the watched table, Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.support import PATIENCE, Instance, clean_environment
from tests.support.paths import ROOT


class Terminal:
    """A process whose stdin, stdout and stderr are one terminal."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self.process = process
        self.fd = fd
        self.seen = ""

    def until(self, words: str, *, times: int = 1, timeout: float = PATIENCE) -> str:
        """Everything seen once `words` have come so often."""
        deadline = time.monotonic() + timeout
        while self.seen.count(words) < times:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.fd], [], [], max(0.0, left))
            assert ready, f"no {words!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 65536).decode()
            except OSError as error:  # EIO: the other side is gone
                raise AssertionError(f"it ended before {words!r}: {self.seen!r}") from error
        return self.seen

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self, *, timeout: float = PATIENCE) -> int:
        """The exit code; what it still says is read."""
        while True:
            ready, _, _ = select.select([self.fd], [], [], timeout)
            assert ready, f"it does not end: {self.seen!r}"
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode()
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def terminal(instance: Instance, *args: str, **env: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *instance.argv(*args)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env=clean_environment(**instance.env, **env),
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(ours)


def test_flush_asks_and_does_what_is_answered(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp")
    with terminal(direct, "rule", "flush") as screen:
        screen.until("Delete every rule? [y/N]")
        screen.type("n\n")
        assert screen.end() == 130
    assert len(direct.json("rule", "list")["rules"]) == 1
    with terminal(direct, "rule", "flush") as screen:
        screen.until("Delete every rule? [y/N]")
        screen.type("y\n")
        assert screen.end() == 0
    assert direct.json("rule", "list")["rules"] == []


def test_a_drop_policy_says_what_it_ends_and_asks(direct: Instance) -> None:
    sentence = "accept icmp/destination-unreachable in"
    missing = f"xdpwall rule add {sentence}"
    direct.done("attach", "veth0")
    ruleset = direct.state_dir.parent / "drop.yaml"
    ruleset.write_text("version: 1\npolicy: {ingress: drop}\nrules: []\n")
    for args in (("policy", "set", "ingress", "drop"), ("apply", str(ruleset))):
        with terminal(direct, *args) as screen:
            screen.until("drop these packets from now on? [y/N]")
            screen.type("n\n")
            assert screen.end() == 130
        assert missing in " ".join(screen.seen.split())
        assert direct.json("policy", "show")["ingress"] == "accept"
        with terminal(direct, *args, "-y") as screen:
            assert screen.end() == 0
        assert screen.seen.count("destination-unreachable") == 1, "before the switch, and once"
        assert direct.json("policy", "show")["ingress"] == "drop"
        direct.done("policy", "set", "ingress", "accept")
    direct.done("rule", "add", "accept", "in")
    with terminal(direct, "policy", "set", "ingress", "drop") as screen:
        assert screen.end() == 0
    assert "[y/N]" not in screen.seen, "nothing is missing"


def test_a_guard_does_not_ask(direct: Instance) -> None:
    session = "203.0.113.9 4000 203.0.113.1 22"
    with terminal(direct, "block", "203.0.113.0/24", SSH_CONNECTION=session) as screen:
        assert screen.end() == 8
    assert "error:" in screen.seen
    assert "--force" in screen.seen


def test_colour_comes_on_a_terminal_and_no_color_stops_it(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp")
    with terminal(direct, "rule", "list") as screen:
        assert screen.end() == 0
    assert "\x1b[31mdrop icmp\x1b[0m" in screen.seen
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with terminal(direct, "rule", "list", **more) as screen:
            assert screen.end() == 0
        assert "\x1b" not in screen.seen
        assert "drop icmp" in screen.seen


def test_the_watched_table_is_drawn_over_itself_until_ctrl_c(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp")
    with terminal(direct, "rule", "ls", "-w", "--interval", "0.05") as screen:
        screen.until("drop icmp", times=3)
        screen.type("\x03")
        assert screen.end() == 130
    assert screen.seen.startswith("\x1b[H\x1b[J")
    assert "Traceback" not in screen.seen


def test_loading_a_set_shows_a_bar_and_ctrl_c_keeps_the_old_one(
    direct: Instance, tmp_path: Path
) -> None:
    direct.done("set", "create", "bad")
    direct.done("set", "add", "bad", "192.0.2.7")
    fifo = tmp_path / "list"
    os.mkfifo(fifo)
    # A list without an end, whose writer ends by SIGPIPE once nobody reads it.
    with subprocess.Popen(["sh", "-c", f"exec yes 10.0.0.1 > {fifo}"]) as writer:
        with terminal(direct, "set", "load", "bad", str(fifo)) as screen:
            screen.until("reading bad ", times=3)
            screen.type("\x03")
            assert screen.end() == 130
        assert writer.wait(timeout=PATIENCE) == -signal.SIGPIPE
    assert "Traceback" not in screen.seen
    assert direct.json("set", "list", "bad")["entries"] == [{"entry": "192.0.2.7"}]
    path = tmp_path / "file"
    path.write_text("10.0.0.1\n" * 200_000)
    with terminal(direct, "set", "load", "bad", str(path)) as screen:
        assert screen.end() == 0
    assert re.search(r"reading bad \[#+\.*\] +\d+%", screen.seen)
    assert "writing bad: 1 entry" in screen.seen


def test_serve_says_where_the_page_is_and_ends_on_ctrl_c(direct: Instance) -> None:
    with terminal(direct, "serve", "--port", "0") as screen:
        seen = screen.until("xdpwall page)")
        assert re.search(r"http://127\.0\.0\.1:\d+/#code=[\w-]{22} ", seen)
        assert direct.json("status")["service"] is True
        second = direct.run("serve", "--port", "0")
        assert second.returncode == 5, second.stderr
        assert "hint: " in second.stderr
        screen.type("\x03")
        assert screen.end() in (0, 130)
    assert "Traceback" not in screen.seen
    assert direct.json("status")["service"] is False


def test_large_sets_are_not_exported_to_a_terminal(direct: Instance, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("".join(f"10.{n >> 8}.{n & 255}.1\n" for n in range(2000)))
    direct.done("set", "load", "bad", str(path))
    direct.done("rule", "add", "drop from @bad")
    with terminal(direct, "export") as screen:
        assert screen.end() == 0
    assert "bad has 2,000 entries" in screen.seen and "xdpwall export > FILE" in screen.seen
    assert len(screen.seen) < 2000 and "sets:" not in screen.seen
    assert "packed:" in direct.ok("export")
