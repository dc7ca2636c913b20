"""Directed graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def components(nodes: Iterable[T], targets: Callable[[T], Iterable[T]]) -> list[set[T]]:
    """The strongly connected components (Kosaraju)."""
    known = list(nodes)
    order: list[T] = []
    seen: set[T] = set()
    back: dict[T, list[T]] = {one: [] for one in known}
    for start in known:
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(list(targets(start))))]
        while stack:
            at, rest = stack[-1]
            for to in rest:
                back[to].append(at)
                if to not in seen:
                    seen.add(to)
                    stack.append((to, iter(list(targets(to)))))
                    break
            else:
                order.append(at)
                stack.pop()
    found: list[set[T]] = []
    placed: set[T] = set()
    for start in reversed(order):
        if start in placed:
            continue
        group, pending = {start}, [start]
        placed.add(start)
        while pending:
            for to in back[pending.pop()]:
                if to not in placed:
                    placed.add(to)
                    group.add(to)
                    pending.append(to)
        found.append(group)
    return found
