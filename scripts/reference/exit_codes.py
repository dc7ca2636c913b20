"""docs/reference/exit-codes.md: what the command line ends with."""

from __future__ import annotations

from collections.abc import Iterator

from xdpwall import errors
from xdpwall.cli.main import EXIT_INTERRUPTED

from .markdown import code, page, table

_NEXT = {
    1: "read the message: it says what was kept; what was in force still is",
    2: "correct the command line or the file; nothing was changed",
    3: "look at what there is: `xdpwall rule list`, `set list`, `status`, `history`",
    4: "run it as root, or ask with a role that may: [who may what](../guides/who-may-what.md)",
    5: "look at `xdpwall status`; the hint names who or what is in the way",
    6: "look at `xdpwall doctor`; `--mode generic` and tc work on every Ethernet interface",
    7: "start the service, or look at its journal: `journalctl -u xdpwall`",
    8: "the message says what it would break; `--force` does it all the same",
}
"""What to do, by exit code."""
_OTHERS = """\
Some commands give a code its own sense:

- `diff`: 0 no difference, 1 differs, 2 any error.
- `check`: 0 clean, 1 findings, 2 the file cannot be read. Without FILE it checks what is in force.
- `explain`: 0 whatever the verdict.
- `confirm`: 3 nothing waits, 5 the kernel has reverted it already.
- `detach`: 1 where a program could not be taken off; the message names it.
- `doctor`: 1 where something fails; what only warns is 0.

A closed pipe (`xdpwall rule list | head -1`) is no error. What is done already is done: `attach` of what is
attached and `unblock` of what just ended are 0."""


def exit_page() -> str:
    """The page as Markdown."""
    rows = [["0", "done, also when it already was so", "", ""]]
    for number, kinds in sorted(_by_code().items()):
        meaning = (kinds[0].__doc__ or "").split("\n")[0].rstrip(".").lower()
        names = ", ".join(
            f"[`{kind.default_code}`](errors.md#{kind.default_code})" for kind in kinds
        )
        rows.append([str(number), meaning, _NEXT[number], names])
    rows.append([str(EXIT_INTERRUPTED), "interrupted by Ctrl-C", "", ""])
    head = (
        "Data goes to stdout, words to stderr: `error: ...` says what came and what was wanted, `hint: ...` the next"
        " step, and `-v` adds errno or the verifier's last lines. Nothing is half-applied. Over REST the same errors"
        f" are [problems with a {code('code')}](errors.md)."
    )
    return page("Exit codes", head, table(["code", "means", "what to do", "errors"], rows), _OTHERS)


def _by_code() -> dict[int, list[type[errors.XdpwallError]]]:
    """The kinds of error by exit code, the most general first."""
    found: dict[int, list[type[errors.XdpwallError]]] = {}
    for kind in _below(errors.XdpwallError):
        if kind.__module__ == errors.__name__ and kind is not errors.XdpwallError:
            found.setdefault(kind.exit_code, []).append(kind)
    return found


def _below(kind: type[errors.XdpwallError]) -> Iterator[type[errors.XdpwallError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _below(one)
