"""Options that every command takes, and what the user asked for with them.

Each works before and after the sub-command (`xdpwall -j rule list`, `xdpwall rule list -j`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

if TYPE_CHECKING:
    from xdpwall.settings import Settings
    from xdpwall.values.author import Author

F = TypeVar("F", bound=Callable[..., Any])
Output = Literal["table", "wide", "json", "yaml", "name"]
OUTPUTS = ("table", "wide", "json", "yaml", "name")


@dataclass(slots=True)
class Invocation:
    """One run of the command line: what its common options said."""

    output: Output = "table"
    color: Literal["auto", "always", "never"] = "auto"
    quiet: bool = False
    verbose: bool = False
    headers: bool = True
    exact: bool = False
    yes: bool = False
    force: bool = False
    message: str | None = None
    places: dict[str, str | None] = field(default_factory=dict)
    """state_dir, bpffs and socket, where given as flags."""
    sentence: str | None = None
    """The sentence being read, so that an error can point at its word."""

    def settings(self) -> Settings:
        """Flag over environment over file."""
        from xdpwall.settings import Settings

        return Settings.load(self.places)

    def author(self) -> Author:
        """Who makes the change; sudo's caller, when there is one."""
        from xdpwall.values.author import Author

        uid = os.environ.get("SUDO_UID", "")
        number = int(uid) if uid.isascii() and uid.isdigit() else os.getuid()
        return Author(name=f"uid {number}", via="cli", message=self.message)


class _Current:
    """The running invocation. One at a time: a command line is one thread's business."""

    def __init__(self) -> None:
        self._invocation = Invocation()

    def set_new(self) -> Invocation:
        self._invocation = Invocation()
        return self._invocation

    def get(self) -> Invocation:
        return self._invocation


invocation = _Current()


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is not None and value is not False:
            setattr(invocation.get(), name, value)
        return value

    return callback


def _keep_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        invocation.get().output = "json"


def _keep_place(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        invocation.get().places[str(parameter.name)] = value


def _no_headers(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        invocation.get().headers = False


def _option(*names: str, **attrs: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, **attrs)


def common(*, locate: Literal["shown", "hidden"] = "hidden") -> Callable[[F], F]:
    """Output options, -q, -v; the instance's three paths (shown in the root's help only)."""
    hidden = locate == "hidden"
    flag = {"is_flag": True, "default": False}
    options = [
        _option(
            "-o",
            "--output",
            type=click.Choice(OUTPUTS),
            callback=_keep("output"),
            help="How to print: for people, or for programs.",
        ),
        _option("-j", "--json", **flag, callback=_keep_json, help="Short for -o json."),
        _option(
            "-q",
            "--quiet",
            **flag,
            callback=_keep("quiet"),
            help="Names only, and no words on stderr but errors.",
        ),
        _option(
            "-v",
            "--verbose",
            **flag,
            callback=_keep("verbose"),
            help="Add errno and the verifier's last lines to errors.",
        ),
        _option(
            "--color",
            type=click.Choice(("auto", "always", "never")),
            callback=_keep("color"),
            help="Colour; auto is on a terminal where NO_COLOR is not set.",
        ),
        _option("--no-headers", **flag, callback=_no_headers, help="Tables without headings."),
    ]
    places = (
        ("state_dir", "/var/lib/xdpwall", "Where the ruleset is kept."),
        ("bpffs", "/sys/fs/bpf/xdpwall", "Where maps and programs are pinned."),
        ("socket", "/run/xdpwall/xdpwall.sock", "Where the service listens."),
    )
    options += [
        _option(
            f"--{name.replace('_', '-')}",
            name,
            metavar="PATH",
            callback=_keep_place,
            hidden=hidden,
            help=f"{text} XDPWALL_{name.upper()}; {default}.",
        )
        for name, default, text in places
    ]
    return _all(options)


def exact() -> Callable[[F], F]:
    """-x: counters without units."""
    return _option(
        "-x",
        "--exact",
        is_flag=True,
        default=False,
        callback=_keep("exact"),
        help="Counters in full instead of 1.2M.",
    )


def change(*, guarded: bool = False, asks: bool = False) -> Callable[[F], F]:
    """--message; --force where a guard may refuse; -y where a question may come.

    Both are taken everywhere, so that scripts need not know which command asks.
    """
    return _all(
        [
            _option(
                "--message",
                metavar="TEXT",
                callback=_keep("message"),
                help="Goes into the history of the change.",
            ),
            _option(
                "--force",
                is_flag=True,
                default=False,
                callback=_keep("force"),
                hidden=not guarded,
                help="Pass the guards (SSH session).",
            ),
            _option(
                "-y",
                "--yes",
                is_flag=True,
                default=False,
                callback=_keep("yes"),
                hidden=not asks,
                help="Answer questions with yes.",
            ),
        ]
    )


def _all(options: list[Callable[[Any], Any]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        # click lists options in the order of decorators from the top, which apply last.
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def confirm(question: str) -> None:
    """Ask on a terminal; -y answers. Off a terminal without -y: InvalidInput (exit 2)."""
    import sys

    from xdpwall.errors import InvalidInput

    if invocation.get().yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidInput(
            f"{question} needs an answer, and there is no terminal to ask on",
            code="needs-yes",
            field="yes",
            hint="add -y",
        )
    if not click.confirm(question, err=True):
        raise click.Abort


def confirm_on_terminal(question: str) -> None:
    """Ask where there is a terminal, and go on where there is none; -y answers."""
    import sys

    if sys.stdin.isatty() and sys.stderr.isatty():
        confirm(question)
