"""What interfaces are to others, as far as rules ask for it: a port of docker0 (`on ports:docker0`), the
port of a container (`on container:web`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from xdpwall.kernel.net.link_list import BriefLink
from xdpwall.rule.iface_selector import (
    NO_RELATIONS,
    PORTS,
    Relations,
    is_of_container,
    matches,
    relations_of,
)
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.set_references import containers_named_by
from xdpwall.values.addresses import CONTAINER

from .causes import ADDRESS_OF
from .in_place import judged_names
from .wanted import all_links


def with_relations(
    rows: Iterable[Attachment], selectors: Collection[str], containers: Path
) -> list[Attachment]:
    """The attachments with those of `selectors`, which have a colon, that mean their interfaces now.
    `containers`: the file with their names. Without selectors the kernel is not asked. XdpwallError where it
    does not tell."""
    found = list(rows)
    if not selectors or not found:
        return found
    links = all_links()
    known = _by_index(links, selectors, containers)
    indexes = {link.name: link.index for link in links}
    return [
        replace(row, relations=known.get(indexes.get(row.iface, row.index), NO_RELATIONS))
        for row in found
    ]


def related(
    rows: Iterable[Attachment], rules: Iterable[Rule], containers: Path
) -> list[Attachment]:
    """with_relations() for the selectors of these rules."""
    return with_relations(rows, selectors_of(rules), containers)


def selectors_of(rules: Iterable[Rule]) -> set[str]:
    """The selectors with a colon that these rules name, containers in `src` and `dst` among them."""
    some = list(rules)
    addressed = {one for rule in some for one in containers_named_by(rule)}
    return relations_of(rule.iface for rule in some) | addressed


def relations_by_name(
    names: Iterable[str], selectors: Collection[str], containers: Path
) -> dict[str, Relations]:
    """The same of interfaces by their names; those that do not exist have none."""
    if not selectors:
        return {}
    links = all_links()
    known = _by_index(links, selectors, containers)
    by_name = {link.name: known.get(link.index, NO_RELATIONS) for link in links}
    return {name: by_name.get(name, NO_RELATIONS) for name in names}


def words_for_interfaces(
    rules: Collection[Rule], rows: Collection[Attachment], containers: Path
) -> set[str]:
    """The words by which rules may mean an interface that is there: names, as judged_names() has them, and
    selectors with a colon; CONTAINER alone where an engine was ever asked. None where no rule names an
    interface, which is not looked at then."""
    named, asked = {rule.iface for rule in rules if rule.iface is not None}, selectors_of(rules)
    if not (named or asked):
        return set()
    found = judged_names(rows)
    if asked:
        found |= {PORTS + link.master for link in all_links() if link.master is not None}
    if any(map(is_of_container, asked)):
        from .container_relations import addresses_now, names_now, told_selectors

        told = names_now(containers)
        found |= told_selectors(told)
        found |= {ADDRESS_OF + one for one, addresses in addresses_now(told).items() if addresses}
    return found


def container_addresses(
    selectors: Collection[str], containers: Path
) -> tuple[dict[str, tuple[str, ...]], bool]:
    """The addresses of those of the selectors that are containers, and whether they are kept up to date."""
    asked = [one for one in selectors if one.startswith(CONTAINER)]
    if not asked:
        return {}, True
    from .container_relations import addresses_now, names_now

    found = names_now(containers)
    known = addresses_now(found)
    return {one: known[one] for one in asked if one in known}, found.complete


def _by_index(
    links: Collection[BriefLink], selectors: Collection[str], containers: Path
) -> Mapping[int, Relations]:
    of_containers = [one for one in selectors if is_of_container(one)]
    ports = [one for one in selectors if not is_of_container(one)]
    known: Mapping[int, Relations] = {}
    if of_containers:
        from .container_relations import container_relations, names_now

        known = container_relations(names_now(containers), links, of_containers)
    found = {}
    for link in links:
        sure, unsure = known.get(link.index, NO_RELATIONS)
        sure |= {one for one in ports if matches(one, link.name, link.master)}
        found[link.index] = Relations(sure, unsure)
    return found
