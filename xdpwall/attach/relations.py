"""What interfaces are to others, as far as rules ask for it: a port of docker0 (`on ports:docker0`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from xdpwall.kernel.net.link_list import BriefLink
from xdpwall.rule.iface_selector import PORTS, matches, relations_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment

from .in_place import judged_names
from .wanted import all_links


def with_relations(
    rows: Iterable[Attachment], selectors: Collection[str], links: Iterable[BriefLink] | None = None
) -> list[Attachment]:
    """The attachments with those of `selectors`, which have a colon, that mean their interfaces now.
    Without selectors the kernel is not asked. XdpwallError where it does not tell."""
    found = list(rows)
    if not selectors or not found:
        return found
    links = all_links() if links is None else list(links)
    by_name = {link.name: link for link in links}
    by_index = {link.index: link for link in links}
    return [
        replace(row, relations=_of(by_name.get(row.iface) or by_index.get(row.index), selectors))
        for row in found
    ]


def related(rows: Iterable[Attachment], rules: Iterable[Rule]) -> list[Attachment]:
    """with_relations() for the selectors of these rules."""
    return with_relations(rows, relations_of(rule.iface for rule in rules))


def relations_by_name(
    names: Iterable[str], selectors: Collection[str]
) -> dict[str, frozenset[str]]:
    """The same of interfaces by their names; those that do not exist have none."""
    if not selectors:
        return {}
    links = {link.name: link for link in all_links()}
    return {name: _of(links.get(name), selectors) for name in names}


def words_for_interfaces(rules: Collection[Rule], rows: Collection[Attachment]) -> set[str]:
    """The words by which rules may mean an interface that is there: names, as judged_names() has them, and
    selectors with a colon. None where no rule names an interface, which is not looked at then."""
    named = {rule.iface for rule in rules if rule.iface is not None}
    if not named:
        return set()
    found = judged_names(rows)
    if any(":" in text for text in named):
        found |= {PORTS + link.master for link in all_links() if link.master is not None}
    return found


def _of(link: BriefLink | None, selectors: Collection[str]) -> frozenset[str]:
    if link is None:
        return frozenset()
    return frozenset(one for one in selectors if matches(one, link.name, link.master))
