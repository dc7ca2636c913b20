"""xdpwall(1): every command, and nothing that roff would take for a request."""

from __future__ import annotations

import click

from xdpwall.cli.main import cli
from xdpwall.cli.manual import manual_page
from xdpwall.cli.reference import commands_below

REQUESTS = (".TH ", ".SH ", ".SS ", ".B ", ".PP", ".TP", ".nf", ".fi")


def test_every_command_and_option_is_in_it() -> None:
    page = manual_page()
    plain = page.replace("\\-", "-").replace("\\e", "\\")
    for path, command, _ in commands_below(click.Context(cli, info_name="xdpwall")):
        assert f"\n.SS {path}" in plain, path
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[0] in plain, (path, parameter.opts)
    assert "Exit status:" in plain


def test_roff_takes_no_text_for_a_request() -> None:
    for line in manual_page().splitlines():
        assert not line.startswith("'") and "\b" not in line
        assert not line.startswith(".") or line.startswith(REQUESTS), line
        assert "-" not in line.replace("\\-", ""), "a bare - is a hyphen, which nobody can paste"
