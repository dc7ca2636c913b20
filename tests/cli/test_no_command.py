"""A group without a command: its help, as it is laid out, and a usage error's exit code."""

from __future__ import annotations

import pytest

from tests.cli.support import invoke


@pytest.mark.parametrize("group", [[], ["rule"], ["policy"]])
def test_a_group_without_a_command_prints_its_help(group: list[str]) -> None:
    done = invoke(*group)
    assert done.exit_code == 2
    assert done.stderr == invoke(*group, "--help").stdout
    assert not done.stdout
