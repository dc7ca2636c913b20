"""Errors as two lines: what came and what was wanted, then what to do."""

from __future__ import annotations

import sys

import click

from xdpwall.cli.options import Invocation
from xdpwall.errors import InvalidInput, XdpwallError

from .text import clean, width


def show_error(error: XdpwallError, asked: Invocation) -> None:
    """Print `error:`, the sentence with a caret under its word, `hint:`, and with -v the detail."""
    _say("error", error.message, asked)
    sentence = asked.sentence
    if sentence is None and error.span and isinstance(error.value, str):
        sentence = error.value if error.span[1] <= len(error.value) else None
    if error.span and sentence is not None:
        for line in point_at(sentence, error.span):
            print(f"  {line}", file=sys.stderr)
    if error.hint:
        _say("hint", error.hint, asked)
    if asked.verbose:
        if error.detail:
            print(clean(error.detail, keep="\n\t"), file=sys.stderr)
        _say("code", error.code, asked)


def point_at(sentence: str, span: tuple[int, int]) -> list[str]:
    """The sentence, and a caret under each column of its characters span[0] to span[1].

    A place past the end (something is missing) gets one caret behind the last word.
    """
    start = max(0, min(span[0], len(sentence)))
    end = max(start, min(span[1], len(sentence)))
    before = width(clean(sentence[:start]))
    carets = max(1, width(clean(sentence[start:end])))
    return [clean(sentence), " " * before + "^" * carets]


def show_usage_error(error: click.ClickException, asked: Invocation) -> None:
    """click's own complaint (unknown option, bad number) in our two lines; a group without a
    command gets its help."""
    if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and later; before it is an Exit
        print(error.format_message(), file=sys.stderr)
        return
    message = " ".join(error.format_message().split())
    _say("error", message[:1].lower() + message[1:].rstrip("."), asked)
    context = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and context is not None:
        _say("hint", f"see {context.command_path} --help", asked)


def need(condition: object, message: str, *, field: str, hint: str | None = None) -> None:
    """InvalidInput unless the condition holds."""
    if not condition:
        raise InvalidInput(message, field=field, hint=hint)


def note(text: str, asked: Invocation) -> None:
    """A word to the person, on stderr; -q silences it."""
    if not asked.quiet:
        print(clean(text), file=sys.stderr)


def warn(warnings: list[str], asked: Invocation) -> None:
    """What was done all the same, but may not be what was meant."""
    for warning in warnings:
        if not asked.quiet:
            _say("warning", warning, asked)


def _say(kind: str, text: str, asked: Invocation) -> None:
    from .output import paint, wants_color

    color = {"error": "red", "warning": "yellow", "hint": "cyan"}.get(kind, "dim")
    head = f"{kind}:"
    if wants_color(asked, sys.stderr):
        head = paint(head, color)
    print(f"{head} {clean(text)}", file=sys.stderr)
