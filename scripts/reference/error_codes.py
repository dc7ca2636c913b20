"""docs/reference/errors.md: every error code, what it says and what to do."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter

from xdpwall import errors

from .error_advice import ADVICE
from .error_sites import ErrorSite, error_sites, title_of
from .markdown import code, page

_HEAD = """\
Each error has a code that stays the same, for programs; its words may change. Over REST it is `code` of a problem
(RFC 9457), beside `detail`, `hint`, `field` and `value`; on the command line `-v` shows it, and the
[exit code](exit-codes.md) is that of its kind. `xdpwall help CODE` prints its entry from here. {names}
stand for what an error fills in, and ... for what depends.

Nothing is changed by a request that is refused, but where the entry says so."""


KINDS = {
    kind.default_code
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.XdpwallError)
}


def error_page() -> str:
    """The page as Markdown. KeyError for a code of which nothing says what to do."""
    parts = [
        _section(name, list(group)) for name, group in groupby(error_sites(), attrgetter("code"))
    ]
    return page("Error codes", _HEAD, *parts)


def _section(name: str, sites: list[ErrorSite]) -> str:
    exits = sorted({one.exit for one in sites if one.exit is not None})
    ways = [f"exit [{number}](exit-codes.md)" for number in exits]
    ways += [f"HTTP {title_of(status)}" for status in sorted({one.status for one in sites})]
    lines = [f"## {name}", f"{', '.join(ways)}."]
    # A code that is a whole kind of error has as many wordings as there are places.
    told = [one for one in sites if one.message or one.hint] if name not in KINDS else []
    for one in told:
        words = [code(one.message), one.hint if _reads(one.hint) else ""]
        if any(words):
            lines.append("- " + "  \n  ".join(filter(None, words)))
    if name in ADVICE:
        lines.append(f"What to do: {ADVICE[name]}.")
    elif not any(_reads(one.hint) for one in told):
        raise KeyError(f"error_advice.py says nothing of {name}")
    return "\n\n".join(lines).replace("\n\n- ", "\n- ").replace(".\n- ", ".\n\n- ")


def _reads(hint: str) -> bool:
    """Whether a hint says something as it stands in the source, with its gaps."""
    return len(hint.replace("...", "").split()) > 1
