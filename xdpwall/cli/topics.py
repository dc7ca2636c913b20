"""The pages of the documentation that come with the program: topics by name, sections by heading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from xdpwall.errors import Failed

PAGES = Path(__file__).resolve().parents[1] / "docs"
"""In a checkout a link to docs/, in the wheel a folder."""
FOLDERS = ("guides", "concepts", "reference", "")
"""In the order in which a name that stands in several is looked for."""
_ENTRIES = ("reference/errors.md", "reference/rule-fields.md")
"""Pages whose sections are topics of their own: error codes and rule fields."""
_LEFT_OUT = ("index.md",)
_COMMENT = re.compile(r"\A<!--.*?-->\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Topic:
    """A page. `name` is that of its file, with the folder where a page before it has the same."""

    name: str
    path: Path

    @property
    def title(self) -> str:
        """Its first heading."""
        return next(line[2:] for line in self.text.splitlines() if line.startswith("# "))

    @property
    def text(self) -> str:
        """Its Markdown, without the note of who made it."""
        return _COMMENT.sub("", self.path.read_text(encoding="utf-8"))


def topics() -> list[Topic]:
    """Every page, guides first. Failed where the installation lacks them."""
    found: dict[str, Topic] = {}
    for folder in FOLDERS:
        for path in sorted((PAGES / folder).glob("*.md")):
            if path.name not in _LEFT_OUT:
                name = f"{folder}/{path.stem}" if path.stem in found else path.stem
                found[name] = Topic(name, path)
    decisions = PAGES / "decisions" / "README.md"
    if not found or not decisions.is_file():
        raise Failed(
            f"the pages are missing from this installation ({PAGES})",
            hint="install xdpwall anew; `xdpwall help COMMAND` works without them",
        )
    found["decisions"] = Topic("decisions", decisions)
    return list(found.values())


def find_topic(name: str) -> Topic | None:
    """The page of this name, with its folder in front or without."""
    wanted = name.removesuffix(".md")
    for one in topics():
        path = one.path.relative_to(PAGES).with_suffix("")
        if wanted in (one.name, str(path)):
            return one
    return None


def find_section(heading: str) -> str | None:
    """The section of an error code or a rule field, as Markdown."""
    for page in _ENTRIES:
        lines = (PAGES / page).read_text(encoding="utf-8").splitlines()
        if f"## {heading}" in lines:
            begin = lines.index(f"## {heading}")
            end = next(
                (n for n, line in enumerate(lines) if n > begin and line.startswith("## ")), None
            )
            return "\n".join(lines[begin:end]) + "\n"
    return None


def section_names() -> list[str]:
    """The error codes and the rule fields."""
    texts = [(PAGES / page).read_text(encoding="utf-8") for page in _ENTRIES]
    return re.findall(r"^## ([a-z][a-z0-9_-]*)$", "\n".join(texts), re.MULTILINE)
