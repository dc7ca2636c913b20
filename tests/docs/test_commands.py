"""Every command that the documentation spells is one: its words, its options, its sentence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from xdpwall.cli.commands.rule_fields import split_sentences
from xdpwall.cli.main import cli
from xdpwall.errors import InvalidInput
from xdpwall.rule.sentence_read import read_sentence

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"])
_LINE = re.compile(
    r"^(?: {4}|(?=[#$] |sudo |xdpwall ))(?:[#$] )?(?:sudo )?xdpwall (?P<rest>[^ =].*)$"
)
_SPAN = re.compile(r"`(?:sudo )?xdpwall (?P<rest>[^ =`][^`]*)`")
_BEHIND = re.compile(r"\s{3,}.*|\s[|>;#]|\s&&|\s2>|\s\\$")
"""What follows a command on its line: a remark, another command, a redirection."""
_STAND_IN = re.compile(r"[A-Z][A-Z0-9_]*|\.\.\.|.*[\[\]|<].*")
"""FILE, ID, [OPTIONS]: what a reader replaces."""


def commands_in(text: str) -> Iterator[str]:
    """What stands behind `xdpwall` in lines and spans of code; not what is shown to be refused."""
    fenced = False
    lines = text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("```"):
            fenced = not fenced
        elif match := _LINE.match(line):
            shown = fenced or line.startswith("    ")
            if shown and not below.strip().startswith("error:"):
                yield _BEHIND.split(match["rest"])[0]
        elif not fenced:
            yield from (_BEHIND.split(one["rest"])[0] for one in _SPAN.finditer(line))


def complaint(text: str) -> str | None:
    """What is wrong with a command, as the command line would say it."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        return str(error)
    context = click.Context(cli, info_name="xdpwall", resilient_parsing=True)
    shared = {option for parameter in cli.params for option in parameter.opts}
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if _STAND_IN.fullmatch(words[0]):
            return None
        found = command.get_command(context, words[0])
        if found is None or found.hidden:
            return f"there is no command {words[0]!r}"
        context = click.Context(found, info_name=words[0], parent=context, resilient_parsing=True)
        command, words = found, words[1:]
    said = [word for word in words if not _STAND_IN.fullmatch(word)]
    known = shared | {option for one in command.get_params(context) for option in one.opts}
    known |= {option for one in command.get_params(context) for option in one.secondary_opts}
    for word in said:
        if word.startswith("--") and len(word) > 2 and word.split("=")[0] not in known:
            return f"{context.command_path} has no option {word}"
    if context.command_path == "xdpwall rule add" and len(said) == len(words):
        return _wrong_sentence([word for word in words if word not in ("-q", "-j")])
    return None


def _wrong_sentence(words: list[str]) -> str | None:
    """What is wrong with the sentence in front of the first option."""
    end = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    if not words[:end]:
        return None
    try:
        for sentence in split_sentences(words[:end]):
            read_sentence(sentence)
    except InvalidInput as error:
        return error.message
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_one(page: Path) -> None:
    wrong = {text: why for text in commands_in(page.read_text("utf-8")) if (why := complaint(text))}
    assert not wrong


def test_they_are_found() -> None:
    assert sum(1 for page in PAGES for _ in commands_in(page.read_text("utf-8"))) > 300


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("    # xdpwall rule list -w\n", None),
        ("    xdpwall rules list\n", "no command"),
        ("say `xdpwall rule add drop icmpp`\n", "icmpp"),
        ("`sudo xdpwall apply FILE --adopt`", None),
        ("`sudo xdpwall apply FILE --adpot`", "--adpot"),
        ("    xdpwall attach docker0        native, --like this\n", None),
    ],
)
def test_a_wrong_one_is_told(text: str, wrong: str | None) -> None:
    (command,) = commands_in(text)
    found = complaint(command)
    assert found is None if wrong is None else wrong in str(found)
