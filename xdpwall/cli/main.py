"""The root command, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from xdpwall.cli.terminal.output import write_error
from xdpwall.cli.terminal.problems import print_error, print_usage_error, print_warnings
from xdpwall.errors import Failed, XdpwallError
from xdpwall.values.times import take_time_from
from xdpwall.version import __version__

from .lazy import LazyCommand, LazyGroup
from .options import common_options, invocation
from .present import seconds

COMMANDS = {
    "attach": LazyCommand("attach:attach", "Attach the filter to an interface"),
    "detach": LazyCommand("attach:detach", "Take the filter off an interface"),
    "status": LazyCommand("status:status", "What is attached, in force and counted"),
    "off": LazyCommand("status:off", "Let everything pass, at once, on every interface"),
    "on": LazyCommand("status:on", "Filter again"),
    "rule": LazyCommand("rule:rule", "Add, list, change, move and delete rules"),
    "set": LazyCommand("set:set_", "Addresses and prefixes that rules name as @NAME"),
    "block": LazyCommand("block:block", "Drop what comes from an address, at once, for a while"),
    "unblock": LazyCommand("block:unblock", "Take a block back"),
    "policy": LazyCommand("policy:policy", "What happens to packets that no rule decides"),
    "apply": LazyCommand("apply:apply", "Make the kernel hold exactly this ruleset"),
    "check": LazyCommand("check:check", "Find rules that never decide, or change nothing"),
    "diff": LazyCommand("diff:diff", "Show what a ruleset file would change"),
    "confirm": LazyCommand("confirm:confirm", "Keep a change that waits for its confirmation"),
    "rollback": LazyCommand("confirm:rollback", "Take a change back"),
    "history": LazyCommand("history:history", "Who changed what, and when"),
    "export": LazyCommand("apply:export", "Write the ruleset as apply reads it"),
    "events": LazyCommand(
        "events:events", "Single packets as they come: who was dropped, by which rule"
    ),
    "flows": LazyCommand("flows:flows", "The connections that rules with `keep` have let through"),
    "explain": LazyCommand("explain:explain", "What becomes of a packet, and why"),
    "trace": LazyCommand(
        "trace:trace", "Who drops packets: our rules, or anything else in the kernel"
    ),
    "page": LazyCommand("page:page", "Print an address that opens the page in a browser"),
    "token": LazyCommand("token:token", "Who may come in over TCP, and what each may do"),
    "container": LazyCommand("container:container", "Which interface leads to which container"),
    "doctor": LazyCommand("doctor:doctor", "Check kernel, privileges and interfaces"),
    "restore": LazyCommand("serve:restore", "Put everything back in force, after a reboot"),
    "appeared": LazyCommand(
        "appeared:appeared", "Attach what is wanted on an interface that has just come"
    ),
    "repair": LazyCommand("serve:repair", "Make a damaged state database anew"),
    "serve": LazyCommand("serve:serve", "Run the REST service and the page"),
    "completion": LazyCommand("completion:completion", "Print a completion script for a shell"),
    "version": LazyCommand("version:version", "Print the version"),
    "help": LazyCommand("help:help_", "Print the help of a command, or a page"),
}
FUTURE_COMMANDS = ("top",)
EPILOG = """\b
Examples:
  xdpwall attach docker0
  xdpwall rule add drop icmp on docker0
  xdpwall rule list -w

\b
Exit status:
  0 done   1 failed   2 usage   3 not found   4 needs privileges
  5 conflict   6 kernel, driver or interface cannot
  7 service unreachable   8 refused by a guard   130 interrupted
"""
EXIT_INTERRUPTED = 130
COMPLETE_VARIABLE = "_XDPWALL_COMPLETE"
"""The environment variable by which the shell asks for completions."""


class RootGroup(LazyGroup):
    """The root group: its `main` prints errors and always raises SystemExit."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run one command line; SystemExit carries one of the codes in EPILOG."""
        extra.pop("standalone_mode", None)
        arguments = sys.argv[1:] if args is None else list(args)
        code = self._run(arguments, prog_name or "xdpwall", extra)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _silence_stdout()
        except OSError as error:  # /dev/full
            print_error(write_error(error), invocation.get())
            _silence_stdout()
            code = Failed.exit_code
        # What need not delay the answer.
        for finish in invocation.get().finishing:
            if said := finish():
                print_warnings([said], invocation.get())
        sys.exit(code)

    def _run(self, args: list[str], prog_name: str, extra: dict[str, Any]) -> int:
        # Not click's own main: that one ends a closed pipe with 1, and Ctrl-C with a blank line.
        asked = invocation.set_new()
        take_time_from(seconds)
        try:
            if COMPLETE_VARIABLE in os.environ:
                from click.shell_completion import shell_complete

                return shell_complete(
                    self, extra, prog_name, COMPLETE_VARIABLE, os.environ[COMPLETE_VARIABLE]
                )
            with self.make_context(prog_name, args, **extra) as context:
                result = self.invoke(context)
        except click.exceptions.Exit as end:
            return end.exit_code
        except XdpwallError as error:
            print_error(error, asked)
            return error.exit_code
        except click.ClickException as error:
            print_usage_error(error, asked)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            _silence_stdout()
            return 0
        except (
            OSError
        ) as error:  # too many open files, a full or read-only disk: wherever it came from
            print_error(system_error(error), asked)
            return Failed.exit_code
        return result if isinstance(result, int) else 0


def system_error(error: OSError) -> XdpwallError:
    """The error of a system call that nobody expected to fail, with its cause."""
    what = error.filename if isinstance(error.filename, str) else "a system call"
    hint = None
    if error.errno in (errno.EMFILE, errno.ENFILE):
        hint = "this process has as many files open as it may: ulimit -n"
    return Failed(f"{what}: {error.strerror or error}", hint=hint, detail=repr(error))


def _silence_stdout() -> None:
    # The interpreter flushes stdout once more on its way out and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@click.group(
    name="xdpwall",
    cls=RootGroup,
    table=COMMANDS,
    future=FUTURE_COMMANDS,
    epilog=EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s", help="Print the version.")
@common_options(locate="shown")
def cli() -> None:
    """A packet-filter firewall whose data plane is XDP and tc.

    Rules are sentences: `drop icmp on docker0`, `accept tcp/22 from 10.0.0.0/8`. The first enabled
    rule that matches decides; the policy decides the rest. Changes are in force when the command
    returns, and stay when it ends.
    """


def main() -> NoReturn:
    """The `xdpwall` entry point.

    Most commands end before the search for cyclic garbage could find any; for 10,000 rules it
    takes a tenth of a second, and as much again at the end. Those that go on call gc.enable().
    """
    gc.disable()
    # Nobody else's code is to run in a firewall; to look for some takes 20 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        cli.main(prog_name="xdpwall")
    finally:
        gc.freeze()
