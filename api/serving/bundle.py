"""The page's modules bundled as one script, its style sheets as one sheet, when they are asked for.

Forty-two small modules cost a browser 0.6 s on loopback and compress by a quarter worse than the
same text in one piece. Nothing is built and nothing minified, so an installed page and
one that is being edited are served alike. Only comments, empty lines and the space in front of lines are
left out: they are a fifth of what is sent. (Templates of web/ are HTML, where that space means nothing; a
comment behind code follows punctuation and a blank, which no string or template of web/ has with a `//`.)

A module becomes a function that is called at once and returns what the module exports; they stand
in the order in which they need each other. Of JavaScript's syntax this knows what web/ uses:
`import {...} from "./...";` and `export` before a declaration or a list, each at the
beginning of a line. Files of web/vendor/ stay imports, and are kept by browsers for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ENTRY = "app.mjs"

_IMPORT = re.compile(r'^import \{([^{}]*)\} from "\./([\w./-]+)";\n', re.MULTILINE)
_EXPORTED = re.compile(
    r"^export (?:async function\*? |function\*? |class |const |let )(\w+)", re.MULTILINE
)
_EXPORT_LIST = re.compile(r"^export \{([^{}]*)\};\n", re.MULTILINE)
_COMMENT_LINES = re.compile(r"^[ \t]*(?://.*|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)
_COMMENTS_BEHIND = re.compile(r"(?<=[;,{}(\[\])]) // [^\n`]*$", re.MULTILINE)
_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{2,}")
_SHEET_COMMENTS = re.compile(r"^/\*(?:[^*]|\*(?!/))*\*/\n", re.MULTILINE)
_UNKNOWN_FORM = re.compile(r"^(?:import|export) .*", re.MULTILINE)


class CannotBundle(Exception):
    """A file of web/ has an unknown form of import or export, or two files import each other."""


def bundle_scripts(web: Path, entry: str = ENTRY) -> str:
    """Bundle the module `entry` and all that it imports into one module."""
    parts: dict[str, str] = {}
    kept: dict[str, str] = {}
    _collect(web, entry, parts, kept, ())
    heads = [f'import * as {name} from "./{path}";\n' for path, name in kept.items()]
    return "".join([*heads, *parts.values()])


def bundle_sheets(web: Path) -> str:
    """Bundle the style sheets, style.css first and the others by name."""
    paths = sorted(web.glob("*.css"), key=lambda path: (path.name != "style.css", path.name))
    text = "\n".join(path.read_text("utf-8") for path in paths)
    return _shortened(_SHEET_COMMENTS.sub("", _INDENTATION.sub("", text)))


def _collect(
    web: Path, path: str, parts: dict[str, str], kept: dict[str, str], above: tuple[str, ...]
) -> None:
    """Put the module at `path` into `parts`, after those that it imports."""
    if path in above:
        raise CannotBundle(f"{' -> '.join([*above, path])}: modules that need each other")
    text = _COMMENT_LINES.sub("", (web / path).read_text("utf-8"))
    text = _shortened(_INDENTATION.sub("", _COMMENTS_BEHIND.sub("", text)))
    taken = []
    for found in _IMPORT.finditer(text):
        names, source = found.groups()
        if source.startswith("vendor/"):
            kept.setdefault(source, _name(source))
        elif source not in parts:
            _collect(web, source, parts, kept, (*above, path))
        pairs = ", ".join(": ".join(pair) for pair in _pairs(names))
        taken.append(f"const {{ {pairs} }} = {_name(source)};\n")
    given = [(name, name) for name in _EXPORTED.findall(text)]
    given += [pair for found in _EXPORT_LIST.finditer(text) for pair in _pairs(found[1])]
    body = _EXPORTED.sub(lambda found: found[0].removeprefix("export "), text)
    body = _EXPORT_LIST.sub("", _IMPORT.sub("", body))
    if left := _UNKNOWN_FORM.search(body):
        raise CannotBundle(f"{path}: {left[0]}: not a form that is known here")
    back = ", ".join(f"{outside}: {inside}" for inside, outside in given)
    parts[path] = (
        f"const {_name(path)} = (() => {{\n{''.join(taken)}{body}return {{ {back} }};\n}})();\n"
    )


def _shortened(text: str) -> str:
    return _EMPTY_LINES.sub("\n", text)


def _pairs(names: str) -> Iterator[tuple[str, str]]:
    """Both names of each of "a, b as c": (a, a), (b, c)."""
    for one in filter(None, (name.strip() for name in names.split(","))):
        first, _, second = one.partition(" as ")
        yield first, second or first


def _name(path: str) -> str:
    """A name in JavaScript for the module at `path`."""
    return "$" + re.sub(r"\W", "_", path.rpartition("/")[2].removesuffix(".mjs"))
