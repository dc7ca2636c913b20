"""Errors, warnings and notes on stderr."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from xdpwall.cli.options import Invocation
from xdpwall.errors import InvalidInput, XdpwallError

from .text import display_width, escape_controls

if TYPE_CHECKING:
    from xdpwall.views.pending import PendingView

_FOR_PROGRAMS = re.compile(r" \(REST: [^)]{0,200}\)")
"""The calls that a warning names for the API; a person gets the command alone."""


def print_error(error: XdpwallError, asked: Invocation) -> None:
    """Print `error:`, the sentence with a caret under its word, `hint:`, and with -v the detail."""
    _print_line("error", error.message, asked)
    sentence = asked.sentence
    if sentence is None and error.span and isinstance(error.value, str):
        sentence = error.value if error.span[1] <= len(error.value) else None
    if error.span and sentence is not None:
        for line in caret_lines(sentence, error.span):
            print(f"  {line}", file=sys.stderr)
    if error.hint:
        _print_line("hint", error.hint, asked)
    if asked.verbose:
        if error.detail:
            print(escape_controls(error.detail, keep="\n\t"), file=sys.stderr)
        _print_line("code", error.code, asked)


def caret_lines(sentence: str, span: tuple[int, int]) -> list[str]:
    """The sentence, and a line with a caret under each of its columns from span[0] to span[1].

    A place past the end (something is missing) gets one caret behind the last word.
    """
    start = max(0, min(span[0], len(sentence)))
    end = max(start, min(span[1], len(sentence)))
    before = display_width(escape_controls(sentence[:start]))
    carets = max(1, display_width(escape_controls(sentence[start:end])))
    return [escape_controls(sentence), " " * before + "^" * carets]


def print_usage_error(error: click.ClickException, asked: Invocation) -> None:
    """Print click's own error (unknown option, bad number) and a hint; for a group without a
    command its help."""
    if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and later; before it is an Exit
        print(error.format_message(), file=sys.stderr)
        return
    message = " ".join(error.format_message().split())
    _print_line("error", message[:1].lower() + message[1:].rstrip("."), asked)
    context = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and context is not None:
        _print_line("hint", f"see {context.command_path} --help", asked)


def require(condition: object, message: str, *, field: str, hint: str | None = None) -> None:
    """Raise InvalidInput unless the condition holds."""
    if not condition:
        raise InvalidInput(message, field=field, hint=hint)


def print_pending(pending: PendingView | None, asked: Invocation) -> None:
    """Print that a change waits for its confirmation, and what ends that."""
    if pending is not None:
        number = pending.revision
        print_note(
            f"revision {number} waits for its confirmation: `xdpwall confirm {number}` within "
            f"{pending.seconds_left} s keeps it, else the kernel takes it back "
            "(`xdpwall rollback`: at once)",
            asked,
        )


def print_note(text: str, asked: Invocation) -> None:
    """Print a line for the user on stderr, unless -q was given."""
    if not asked.quiet:
        print(escape_controls(text), file=sys.stderr)


def print_warnings(warnings: list[str], asked: Invocation) -> None:
    """Print the warnings of a change that was made, unless -q was given."""
    for warning in warnings:
        if not asked.quiet:
            _print_line("warning", for_people(warning), asked)


def for_people(text: str) -> str:
    """The text without the calls that it names for programs."""
    return _FOR_PROGRAMS.sub("", text)


def _print_line(kind: str, text: str, asked: Invocation) -> None:
    from .output import paint, wants_color

    color = {"error": "red", "warning": "yellow", "hint": "cyan"}.get(kind, "dim")
    head = f"{kind}:"
    if wants_color(asked, sys.stderr):
        head = paint(head, color)
    print(f"{head} {escape_controls(text)}", file=sys.stderr)
