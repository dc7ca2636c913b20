"""The root: help, synonyms, later commands, errors and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.support import PATIENCE, Instance, clean_environment, invoke
from tests.support.net.netns import wait_for
from tests.support.paths import ROOT
from xdpwall import errors
from xdpwall.cli.lazy import LazyGroup
from xdpwall.cli.main import FUTURE_COMMANDS, cli
from xdpwall.cli.options import Invocation
from xdpwall.cli.terminal.problems import caret_lines, print_error
from xdpwall.version import __version__


@pytest.fixture
def away(tmp_path: Path) -> Instance:
    """An instance that nothing was ever made for."""
    return Instance(tmp_path / "state", tmp_path / "bpffs", tmp_path / "socket")


def every_command() -> Iterator[tuple[str, click.Command, str]]:
    def below(group: LazyGroup, path: str) -> Iterator[tuple[str, click.Command, str]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, name
            yield f"{path}{name}", command, group.table[name].summary
            if isinstance(command, LazyGroup):
                yield from below(command, f"{path}{name} ")

    yield from below(cli, "")


COMMANDS = list(every_command())


@pytest.mark.parametrize(("path", "command", "summary"), COMMANDS, ids=[c[0] for c in COMMANDS])
def test_every_command_has_a_summary_help_and_an_example(
    path: str, command: click.Command, summary: str
) -> None:
    assert summary and not summary.endswith(".")
    done = invoke(*path.split(), "--help")
    assert done.exit_code == 0
    assert "Examples:" in done.stdout
    assert f"xdpwall {path}" in done.stdout.partition("Examples:")[2], "the example is about it"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.name


def test_help_lists_this_versions_commands_and_no_later_one() -> None:
    listed = invoke("--help").stdout.partition("Commands:")[2].partition("Examples:")[0]
    names = [line.split()[0] for line in listed.splitlines() if line.strip()]
    assert names == [path for path, _, _ in COMMANDS if " " not in path]
    assert not set(names) & set(FUTURE_COMMANDS)


def test_no_arguments_is_help() -> None:
    done = invoke()
    assert "Commands:" in done.output
    assert done.exit_code == 2


@pytest.mark.parametrize("name", FUTURE_COMMANDS)
@pytest.mark.parametrize("rest", [[], ["x", "--for", "10m", "-j"], ["--help"]])
def test_later_commands_are_refused_and_not_guessed_at(name: str, rest: list[str]) -> None:
    done = invoke(name, *rest)
    assert done.exit_code == 2
    assert done.stderr == f"error: {name} is not in this version\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["blok"], "no such command 'blok'"),
        (["rule", "lst"], "no such command 'lst'"),
        (["rule", "ls", "--frobnicate"], "no such option"),
        (["rule", "ls", "-o", "xml"], "'xml' is not one of"),
        (["rule", "ls", "--color", "blue"], "'blue' is not one of"),
        (["status", "extra"], "unexpected extra argument"),
        (["rule", "ls", "--times", "0"], "0 is not in the range"),
        (["rule", "ls", "--interval", "often"], "'often' is not a valid float"),
        (["rule", "move", "r1"], "where to is missing"),
        (["rule", "move", "r1", "--at", "first"], "'first' is not a valid integer"),
        (["rule", "add"], "missing argument"),
        (["rule", "show"], "missing argument"),
        (["rule", "delete"], "missing argument"),
        (["attach"], "missing argument"),
        (["attach", "lo", "--hook", "netfilter"], "'netfilter' is not one of"),
        (["attach", "lo", "--mode", "offload"], "'offload' is not one of"),
        (["attach", "lo", "--direction", "both"], "'both' is not one of"),
        (["serve", "--port", "65536"], "65536 is not in the range"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
        (["completion"], "missing argument"),
        (["policy", "set"], "missing argument"),
        (["--state-dir", "relative", "status"], "state_dir must be an absolute path"),
        (["status", "--socket", "./x"], "socket must be an absolute path"),
    ],
)
def test_usage_errors_are_two_lines_and_2(args: list[str], words: str) -> None:
    done = invoke(*args)
    assert done.exit_code == 2
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert words in first
    assert all(line.startswith("hint: ") for line in rest)
    assert done.stdout == ""


@pytest.mark.parametrize("place", ["before", "after"])
def test_common_options_stand_before_and_after_the_command(place: str) -> None:
    args = ["-j", "version"] if place == "before" else ["version", "-j"]
    assert invoke(*args).stdout == f'{{\n  "version": "{__version__}"\n}}\n'


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["version"], f"xdpwall {__version__}\n"),
        (["version", "-o", "yaml"], f"version: {__version__}\n"),
        (["version", "-o", "name"], f"{__version__}\n"),
        (["version", "-q"], f"{__version__}\n"),
    ],
)
def test_version(args: list[str], text: str) -> None:
    assert invoke(*args).stdout == text


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("rules", "xdpwall rule list"),
        ("deny tcp/22", "xdpwall rule add"),
        ("stop", "xdpwall off"),
        ("reload", "xdpwall apply FILE"),
        ("flush", "xdpwall rule flush"),
        ("statsu", "did you mean 'status'?"),
        ("rule del r1", "xdpwall rule delete ID"),
        ("rule insert 1 drop icmp", "xdpwall rule add --at 1"),
        ("rule lst", "did you mean 'list'?"),
        ("policy ingress drop", "xdpwall policy set ingress drop"),
        ("policy set input drop", "here it is called ingress"),
        ("policy set drop", "policy set ingress drop"),
        ("policy set ingress deny", "here it is called drop"),
        ("policy set ingress allow", "here it is called accept"),
        ("policy set egress keep", "accept keep"),
        ("nope", "see xdpwall --help"),
        ("rule nope", "see xdpwall rule --help"),
    ],
)
def test_other_firewalls_commands_are_told_ours(words: str, hint: str) -> None:
    done = invoke(*words.split())
    assert done.exit_code == 2
    error, told = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert told.startswith("hint: ") and hint in told


def test_version_and_help_by_the_names_that_people_try() -> None:
    assert invoke("--version").stdout == f"xdpwall {__version__}\n"
    assert invoke("help").stdout == invoke("--help").stdout
    assert invoke("help", "rule", "add").stdout == invoke("rule", "add", "--help").stdout
    assert invoke("help", "set", "rm").stdout == invoke("set", "delete", "--help").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "no such command 'nope'"),
        (["rule", "nope"], "no such command 'nope'"),
        (["attach", "x"], "xdpwall attach has no commands below it"),
        (["top"], "top is not in this version"),
    ],
)
def test_help_of_what_is_not_there(words: list[str], said: str) -> None:
    done = invoke("help", *words)
    assert done.exit_code == 2 and said in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell: str) -> None:
    done = invoke("completion", shell)
    assert done.exit_code == 0
    assert "_XDPWALL_COMPLETE" in done.stdout


def completed(instance: Instance, words: str, at: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from xdpwall.cli.main import main; main()"],
        env=clean_environment(
            **instance.env, _XDPWALL_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at)
        ),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_completion_offers_what_may_stand_there(direct: Instance) -> None:
    direct.done("attach", "veth0")
    direct.done("rule", "add", "drop icmp", "--id", "noping")

    def offered(words: str) -> list[str]:
        return completed(direct, words, len(words.split(" ")) - 1)

    assert offered("xdpwall detach ") == ["veth0"], "lo is not attached"
    assert {"lo", "veth0"} <= set(offered("xdpwall attach "))
    assert offered("xdpwall policy set ") == ["egress", "ingress", "neighbor_discovery", "non_ip"]
    assert offered("xdpwall policy set ingress ") == ["accept", "accept keep", "drop"]
    assert offered("xdpwall policy set neighbor_discovery ") == ["accept", "judge"]
    assert offered("xdpwall policy set ingress drop i") == []
    assert offered("xdpwall events --rule ") == ["noping"]
    assert offered("xdpwall events --verdict d") == ["drop"]
    assert offered("xdpwall events --proto ic") == ["icmp", "icmpv6"]
    assert offered("xdpwall events --iface v") == ["veth0"]
    assert offered("xdpwall rule add drop icmp --before ") == ["noping"]
    assert offered("xdpwall rule list --iface v") == ["veth0"]


def test_completion_offers_commands_and_interfaces(away: Instance) -> None:
    def offered(words: str, at: int) -> list[str]:
        return completed(away, words, at)

    assert "rule" in offered("xdpwall ", 1)
    assert "top" not in offered("xdpwall ", 1)
    assert "move" in offered("xdpwall rule m", 2)
    assert offered("xdpwall attach l", 2) == ["lo"]
    assert offered("xdpwall rule show ", 3) == []
    assert offered("xdpwall rule add dr", 3) == ["drop"]
    assert offered("xdpwall rule add drop tc", 4) == ["tcp"]
    assert offered("xdpwall rule add drop tcp/80,44", 4) == ["tcp/80,443", "tcp/80,445"]
    assert offered("xdpwall rule add drop icmp on l", 6) == ["lo"]
    assert offered("xdpwall rule set r1 accept icmp/echo-req", 5) == ["icmp/echo-request"]


# -- errors ---------------------------------------------------------------------------------------


def test_an_error_is_error_sentence_caret_hint(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.InvalidInput("got form", hint="did you mean from?", span=(10, 14))
    print_error(error, Invocation(sentence="drop icmp form 10.0.0.1"))
    assert capsys.readouterr().err == (
        "error: got form\n  drop icmp form 10.0.0.1\n            ^^^^\nhint: did you mean from?\n"
    )


def test_verbose_adds_detail_and_code(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.Unsupported("no", code="no-native", detail="errno 95\nsecond line")
    print_error(error, Invocation())
    assert capsys.readouterr().err == "error: no\n"
    print_error(error, Invocation(verbose=True))
    assert capsys.readouterr().err == "error: no\nerrno 95\nsecond line\ncode: no-native\n"


@pytest.mark.parametrize(
    ("sentence", "span", "carets"),
    [
        ("drop", (4, 4), "    ^"),
        ("drop", (99, 120), "    ^"),
        ("drop", (-3, 1), "^"),
        ('drop comment "網路" x', (18, 19), " " * 20 + "^"),
        ("a\tb", (2, 3), "   ^"),
    ],
)
def test_carets_stand_under_their_word(sentence: str, span: tuple[int, int], carets: str) -> None:
    assert caret_lines(sentence, span)[1] == carets


def test_every_error_class_has_its_exit_code() -> None:
    assert {c.__name__: c.exit_code for c in _kinds(errors.XdpwallError)} == {
        "XdpwallError": 1,
        "Failed": 1,
        "Full": 1,
        "InvalidInput": 2,
        "NotFound": 3,
        "NeedsPrivileges": 4,
        "WrongRole": 4,
        "Conflict": 5,
        "Unsupported": 6,
        "ServiceUnreachable": 7,
        "Refused": 8,
        "LockOut": 8,
    }


def _kinds(base: type[errors.XdpwallError]) -> list[type[errors.XdpwallError]]:
    kinds = [base, *(deep for kind in base.__subclasses__() for deep in _kinds(kind))]
    return [kind for kind in kinds if kind.__module__ == errors.__name__]


def test_colour_of_errors_follows_the_flag_and_no_color() -> None:
    assert "\x1b[31merror:\x1b[0m" in invoke("--color", "always", "rule", "add", "dorp").stderr
    assert "\x1b[" not in invoke("rule", "add", "dorp").stderr


# -- processes ------------------------------------------------------------------------------------


def test_a_closed_pipe_is_quiet(away: Instance) -> None:
    # The reader is gone before the first byte: the write itself fails.
    with subprocess.Popen(
        ["sh", "-c", 'exec 3>&1; { "$@"; echo $? >&2; } | exec true', "sh", *away.argv("--help")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=clean_environment(**away.env),
    ) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert err == "0\n"


def test_output_that_cannot_be_written_is_an_error(away: Instance) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            away.argv("version"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=ROOT,
            env=clean_environment(**away.env),
        )
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: No space left on device\n"


def test_ctrl_c_ends_with_130_and_without_a_traceback(away: Instance) -> None:
    fifo = away.state_dir.parent / "rules.yaml"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        away.argv("apply", str(fifo)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=clean_environment(**away.env),
    )
    # A writer can be opened only once a reader is there.
    with process, fifo.open("w"):
        wait_for(lambda: _sleeps(process.pid), "xdpwall reads the fifo")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, "", "")


def _sleeps(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return stat.rpartition(")")[2].split()[0] == "S"


def test_the_module_and_the_entry_point_are_the_same(away: Instance) -> None:
    assert away.ok("version") == f"xdpwall {__version__}\n"
