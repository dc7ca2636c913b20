"""mkdocs' hooks: pages and files that stand outside of docs/, and the links that lead there.

The same Markdown reads on GitHub and in the terminal, where links go by the repository's folders.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {
    "README.md": "project/readme.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "LICENSES/README.md": "project/licences.md",
}
"""Pages of the repository's root: where they stand in the site."""
SECTIONS = {"guides": "Guides", "concepts": "Concepts", "reference": "Reference"}
"""Sections of the menu by folder."""
_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#:\s]+)(?=[#)])")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put a page that mkdocs.yml does not place at the end of its folder's section of the menu."""
    nav: list[dict[str, list[str]]] = config.nav or []
    placed = {page for section in nav for pages in section.values() for page in pages}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT / "docs").as_posix()
        if name not in placed:
            title = SECTIONS.get(name.partition("/")[0], "Project")
            next(section[title] for section in nav if title in section).append(name)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of OUTSIDE, and every other file of the repository that a page links to."""
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for page in list(files.documentation_pages()):
        for target in _targets(page.src_uri, page.content_string):
            if (where := _place_of(target)) and files.get_file_from_path(where) is None:
                files.append(File.generated(config, where, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their targets stand in the site. A comment in front would hide the title."""
    markdown = re.sub(r"\A<!--.*?-->\n", "", markdown)
    here = page.file.src_uri

    def lead(match: re.Match[str]) -> str:
        place = _place_of(_resolved(here, match["path"]))
        if place is None:
            return match["path"]
        return os.path.relpath(place, str(PurePosixPath(here).parent))

    parts = _FENCE.split(markdown)
    fences = [*_FENCE.findall(markdown), ""]
    return "".join(_LINK.sub(lead, text) + fence for text, fence in zip(parts, fences, strict=True))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A head cell without text names no column: it is none."""
    return re.sub(r"<th( [^>]*)?></th>", r"<td\1></td>", html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Give the theme's search a name for who hears the page."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)


def _targets(here: str, markdown: str) -> set[str]:
    """Files of the repository that a page links to, by their paths from its root."""
    text = _FENCE.sub("", markdown)
    return {_resolved(here, match["path"]) for match in _LINK.finditer(text)}


def _resolved(here: str, link: str) -> str:
    """The path from the repository's root of what a page at `here` in the site links to."""
    sources = {place: source for source, place in OUTSIDE.items()}
    source = PurePosixPath(sources.get(here, f"docs/{here}"))
    return os.path.normpath(source.parent / link)


def _place_of(target: str) -> str | None:
    """Where a file of the repository stands in the site; None for what is no file."""
    if target in OUTSIDE:
        return OUTSIDE[target]
    if not (ROOT / target).is_file():
        return None
    return target.removeprefix("docs/") if target.startswith("docs/") else f"files/{target}"
