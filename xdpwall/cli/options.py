"""Options that every command takes, and the invocation that they describe.

Each works before and after the sub-command (`xdpwall -j rule list`, `xdpwall rule list -j`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from xdpwall.values.author import MAX_CONFIRM

if TYPE_CHECKING:
    from xdpwall.settings import Settings
    from xdpwall.values.author import Author

F = TypeVar("F", bound=Callable[..., Any])
Output = Literal["table", "wide", "json", "yaml", "name"]
OUTPUTS = ("table", "wide", "json", "yaml", "name")


@dataclass(slots=True)
class Invocation:
    """One run of the command line: the values of its common options."""

    output: Output = "table"
    color: Literal["auto", "always", "never"] = "auto"
    quiet: bool = False
    verbose: bool = False
    headers: bool = True
    exact: bool = False
    yes: bool = False
    force: bool = False
    message: str | None = None
    confirm: int | None = None
    paths: dict[str, str | None] = field(default_factory=dict)
    """state_dir, bpffs and socket, where given as flags."""
    sentence: str | None = None
    """The sentence being read, so that an error can point at its word."""
    finishing: list[Callable[[], str | None]] = field(default_factory=list)
    """Called when all is printed; what they return is a warning."""

    def settings(self) -> Settings:
        """The paths of the instance: flag over environment over file. Files of the service's user are opened
        as that user from here on."""
        from xdpwall.firewall.owner import act_as_owner
        from xdpwall.settings import Settings

        settings = Settings.load(self.paths)
        act_as_owner(settings)
        return settings

    def author(self) -> Author:
        """The author of a change: the user, or sudo's caller."""
        from xdpwall.values.author import Author

        from .ssh_session import login_session

        session = login_session()
        uid = os.environ.get("SUDO_UID", "")
        number = int(uid) if uid.isascii() and uid.isdigit() else os.getuid()
        name = f"uid {number}"
        return Author(
            name,
            "cli",
            self.message,
            self.confirm,
            address=None if session is None else str(session.peer),
            session=session,
            force=self.force,
            may_confirm=_takes_confirm(),
        )


def _takes_confirm() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and any(one.name == "confirm" for one in context.command.params)


class _InvocationHolder:
    """Holder of the running invocation; a process runs one at a time."""

    def __init__(self) -> None:
        self._invocation = Invocation()

    def set_new(self) -> Invocation:
        self._invocation = Invocation()
        return self._invocation

    def get(self) -> Invocation:
        return self._invocation


invocation = _InvocationHolder()


def _store(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is not None and value is not False:
            setattr(invocation.get(), name, value)
        return value

    return callback


def _store_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        invocation.get().output = "json"


def _store_path(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        invocation.get().paths[str(parameter.name)] = value


def _store_no_headers(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        invocation.get().headers = False


def _stored_option(*names: str, **attrs: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, **attrs)


def common_options(*, locate: Literal["shown", "hidden"] = "hidden") -> Callable[[F], F]:
    """Add output options, -q, -v and the instance's three paths (shown in the root's help only)."""
    hidden = locate == "hidden"
    flag = {"is_flag": True, "default": False}
    options = [
        _stored_option(
            "-o",
            "--output",
            type=click.Choice(OUTPUTS),
            callback=_store("output"),
            help="How to print: for people, or for programs.",
        ),
        _stored_option("-j", "--json", **flag, callback=_store_json, help="Short for -o json."),
        _stored_option(
            "-q",
            "--quiet",
            **flag,
            callback=_store("quiet"),
            help="Names only, and no words on stderr but errors.",
        ),
        _stored_option(
            "-v",
            "--verbose",
            **flag,
            callback=_store("verbose"),
            help="Add errno and the verifier's last lines to errors.",
        ),
        _stored_option(
            "--color",
            type=click.Choice(("auto", "always", "never")),
            callback=_store("color"),
            help="Colour; auto is on a terminal where NO_COLOR is not set.",
        ),
        _stored_option(
            "--no-headers", **flag, callback=_store_no_headers, help="Tables without headings."
        ),
    ]
    places = (
        ("state_dir", "/var/lib/xdpwall", "Where the ruleset is kept."),
        ("bpffs", "/sys/fs/bpf/xdpwall", "Where maps and programs are pinned."),
        ("socket", "/run/xdpwall/xdpwall.sock", "Where the service listens."),
    )
    options += [
        _stored_option(
            f"--{name.replace('_', '-')}",
            name,
            metavar="PATH",
            callback=_store_path,
            hidden=hidden,
            help=f"{text} XDPWALL_{name.upper()}; {default}.",
        )
        for name, default, text in places
    ]
    return _apply_options(options)


def exact_option() -> Callable[[F], F]:
    """Add -x: counters without units."""
    return _stored_option(
        "-x",
        "--exact",
        is_flag=True,
        default=False,
        callback=_store("exact"),
        help="Counters in full instead of 1.2M.",
    )


def watch_options(function: F) -> F:
    """Add -w, --interval and --times."""
    options = [
        click.option(
            "-w", "--watch", is_flag=True, help="Again and again, with rates, until Ctrl-C."
        ),
        click.option(
            "--interval",
            type=click.FloatRange(min=0.05, max=3600),
            default=1.0,
            show_default=True,
            metavar="SECONDS",
            help="Between two looks of --watch.",
        ),
        click.option(
            "--times", type=click.IntRange(min=1), metavar="N", help="End --watch after N looks."
        ),
    ]
    return _apply_options(options)(function)


def change_options(
    *, guarded: bool = False, asks: bool = False, confirms: bool = False
) -> Callable[[F], F]:
    """Add --message, --force (shown where a guard may refuse) and -y (where a question may come), and
    with `confirms` --confirm.

    The first three are taken everywhere, so that scripts need not know which command asks.
    """
    confirming = _stored_option(
        "--confirm",
        "confirm",
        metavar="SECONDS",
        type=click.IntRange(1, MAX_CONFIRM),
        callback=_store("confirm"),
        help="The kernel takes it back after so long, unless `xdpwall confirm` comes first.",
    )
    return _apply_options(
        [
            *([confirming] if confirms else []),
            _stored_option(
                "--message",
                metavar="TEXT",
                callback=_store("message"),
                help="Goes into the history of the change.",
            ),
            _stored_option(
                "--force",
                is_flag=True,
                default=False,
                callback=_store("force"),
                hidden=not guarded,
                help="Also where it cuts off your own connection, or who is logged in.",
            ),
            _stored_option(
                "-y",
                "--yes",
                is_flag=True,
                default=False,
                callback=_store("yes"),
                hidden=not asks,
                help="Answer questions with yes.",
            ),
        ]
    )


def _apply_options(options: list[Callable[[Any], Any]]) -> Callable[[F], F]:
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


allow_empty = click.option(
    "--allow-empty",
    "may_empty",
    is_flag=True,
    help="Let a list of nothing empty a set that holds something.",
)
most_shrink = click.option(
    "--most-shrink",
    "shrink",
    metavar="PCT",
    type=click.IntRange(0, 100),
    help="Refuse a list without more than PCT percent of the entries that the set has.",
)
