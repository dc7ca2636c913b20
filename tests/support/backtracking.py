"""How many ways a regular expression has through a text, told from the expression alone.

Python's `re` tries one way after the other, so a text that fails costs as much time as there are
ways. They are few where at each place only one repeat can take the next character. The criteria
are those of Weber and Seidl, "On the degree of ambiguity of finite automata" (1991): the number
grows exponentially where a state comes back to itself by two ways over one word (EDA), and as a
power where a word leads from p to p, from p to q and from q to q, p and q being two states (IDA).

The automaton's states are the pattern's characters. Counted repeats of one character are spelled
out; other repeats of up to 16 and more count as endless. Assertions about one character, possessive
repeats of one, `^` and `$` are taken as they are, other assertions as if they held. So a
harmless pattern may be reported; of one that is not linear, no more than a constant factor is missed.
"""

from __future__ import annotations

import importlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from tests.support.graphs import components

_parser: Any = importlib.import_module("re._parser")
_compiler: Any = importlib.import_module("re._compiler")

MANY = 16
_SAMPLES = {*range(0x250), 0x2028, 0x202A, 0x2069, 0x3000, 0x4E00, 0xD800, 0x1F600}
"""Code points that tell apart what \\w, \\s, \\d and `.` take."""


class _Way(NamedTuple):
    """A way that takes no character: what must follow, where it leads, what must stand before."""

    after: int
    to: int
    before: int = -1


class _Edge(NamedTuple):
    """One way from a character to the next: its state, and the letters that may be taken."""

    to: int
    letters: int


class Automaton:
    """The ways through one pattern. Letters are classes of characters, sets of them bit masks."""

    def __init__(self, pattern: str, flags: int = 0, *, search: bool = False) -> None:
        """`search`: the pattern may begin anywhere, as in search, sub, split and findall."""
        tree = _parser.parse(pattern, flags)
        self._state = tree.state
        self._lines = bool(tree.state.flags & re.MULTILINE)
        self._masks: dict[str, int] = {}
        self._letters = self._alphabet(list(_characters(tree)), tree)
        self._all = (1 << len(self._letters)) - 1
        self._end = 1 << len(self._letters)
        """A letter of its own: the text ends here."""
        self._any = self._all | self._end
        self._nodes: list[tuple[int, int] | list[_Way]] = []
        """(letters, next node) of a character, or the ways on."""
        self._accept = self._node([])
        begin = self._build(tree, self._accept)
        self._prefix = -1
        if search:
            again = self._node([])
            self._prefix = self._node((self._all, again))
            self._ways(again).extend([_Way(self._any, begin), _Way(self._any, self._prefix)])
        self._next: dict[int, list[_Edge]] = {}
        self._accepting: set[int] = set()
        for state, node in enumerate(self._nodes):
            if isinstance(node, tuple):
                self._next[state] = list(self._follow(state, *node))

    def fault(self) -> str | None:
        """What makes it slow, with the word that does when it is repeated; None for linear."""
        groups = [one for one in components(self._next, self._targets) if self._loops(one)]
        for group in groups:
            word = self._exponential(group)
            if word is not None:
                return f"exponential over {word!r}"
        for first in groups:
            for second in groups:
                word = None if first is second else self._polynomial(first, second)
                if word is not None:
                    return f"polynomial over {word!r}"
        return None

    def _alphabet(self, singles: list[Any], tree: Any) -> list[str]:
        """One character of each class that the pattern tells apart."""
        points = set(_SAMPLES)
        for number in _numbers(tree):
            points.update({number - 1, number, number + 1})
        chars = [chr(one) for one in sorted(points) if 0 <= one <= 0x10FFFF]
        patterns = {repr(one): self._alone(one) for one in singles}
        classes: dict[tuple[bool, ...], str] = {}
        for char in sorted(chars, key=lambda one: (not " " <= one <= "~", one)):
            told = tuple(one.fullmatch(char) is not None for one in patterns.values())
            classes.setdefault(told, char)
        for place, name in enumerate(patterns):
            self._masks[name] = sum(told[place] << bit for bit, told in enumerate(classes))
        letters = list(classes.values())
        self._newline = sum(1 << bit for bit, char in enumerate(letters) if char == "\n")
        return letters

    def _alone(self, single: Any) -> re.Pattern[str]:
        found: re.Pattern[str] = _compiler.compile(_parser.SubPattern(self._state, [single]))
        return found

    def _node(self, node: tuple[int, int] | list[_Way]) -> int:
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _ways(self, node: int) -> list[_Way]:
        ways = self._nodes[node]
        assert isinstance(ways, list)
        return ways

    def _build(self, items: Iterable[Any], out: int) -> int:
        """The node where `items` begin, which lead on to the node `out`."""
        for item in reversed(list(items)):
            out = self._item(item, out)
        return out

    def _item(self, item: Any, out: int) -> int:
        name, value = str(item[0]), item[1]
        if _is_single(item):
            return self._node((self._masks[repr(item)], out))
        if name == "BRANCH":
            return self._node([_Way(self._any, self._build(one, out)) for one in value[1]])
        if name == "SUBPATTERN":
            assert not value[1] and not value[2], "flags within a pattern"
            return self._build(value[3], out)
        if name == "ATOMIC_GROUP":
            return self._build(value, out)
        if name.endswith("_REPEAT"):
            return self._repeat(name, value, out)
        if name in ("ASSERT", "ASSERT_NOT"):
            return self._assertion(name == "ASSERT_NOT", value, out)
        assert name == "AT", f"{name} is not known here"
        at = str(value)
        if at == "AT_END" and not self._lines:
            return self._node([_Way(self._end | self._newline, out)])
        if at == "AT_END_STRING":
            return self._node([_Way(self._end, out)])
        if at == "AT_BEGINNING_STRING" or (at == "AT_BEGINNING" and not self._lines):
            return self._node([])  # No character stands before it.
        before = self._newline if at == "AT_BEGINNING" else self._any
        return self._node([_Way(self._any, out, before)])

    def _repeat(self, name: str, value: Any, out: int) -> int:
        least, most, body = value
        single = len(body) == 1 and _is_single(body[0])
        endless = most is _parser.MAXREPEAT or (most >= MANY and not single)
        guard = self._any
        if name == "POSSESSIVE_REPEAT" and single and most is _parser.MAXREPEAT:
            guard &= ~self._masks[repr(body[0])]
        if endless:
            least = least if most is _parser.MAXREPEAT else min(least, 1)
            loop = self._node([])
            begin = self._build(body, loop)
            # Two nodes: the way out of the body and in again differs from the first way in.
            self._ways(loop).extend([_Way(self._any, begin), _Way(guard, out)])
            out = self._node([_Way(self._any, begin), _Way(guard, out)])
        else:
            after = out
            for _ in range(most - least):
                out = self._node([_Way(self._any, self._build(body, out)), _Way(guard, after)])
        for _ in range(least):
            out = self._build(body, out)
        return out

    def _assertion(self, negative: bool, value: Any, out: int) -> int:
        direction, body = value
        letters = self._seen(body)
        if letters is not None:
            letters = self._any & ~letters if negative else letters
            ahead = direction > 0
            return self._node([_Way(letters, out) if ahead else _Way(self._any, out, letters)])
        ways = [_Way(self._any, out)]
        if direction > 0:
            ways.append(_Way(self._any, self._build(body, self._node([]))))
        return self._node(ways)

    def _seen(self, body: Any) -> int | None:
        """The letters that an assertion wants; None where it looks at more than one character."""
        if len(body) != 1:
            return None
        name, value = str(body[0][0]), body[0][1]
        if _is_single(body[0]):
            return self._masks[repr(body[0])]
        if name == "SUBPATTERN":
            return self._seen(value[3])
        if name == "BRANCH":
            found = [self._seen(one) for one in value[1]]
            known = [one for one in found if one is not None]
            return reduce(or_, known) if known == found else None
        if name == "AT" and str(value) in ("AT_END", "AT_END_STRING") and not self._lines:
            return self._end | (self._newline if str(value) == "AT_END" else 0)
        return None

    def _follow(self, state: int, taken: int, node: int) -> Iterator[_Edge]:
        """Every way from one character to a next one, without going round in empty circles."""
        pending: list[tuple[int, int, bool, frozenset[int]]] = [
            (node, self._any, True, frozenset())
        ]
        while pending:
            at, letters, sure, seen = pending.pop()
            if at == self._accept and letters == self._any and sure:
                self._accepting.add(state)
            found = self._nodes[at]
            if isinstance(found, tuple):
                if found[0] & letters:
                    yield _Edge(at, found[0] & letters)
            elif at not in seen:
                for way in found:
                    if way.after & letters and way.before & taken:
                        holds = sure and not taken & ~way.before
                        pending.append((way.to, way.after & letters, holds, seen | {at}))

    def _targets(self, state: int) -> Iterator[int]:
        return (edge.to for edge in self._next[state])

    def _loops(self, group: set[int]) -> bool:
        return any(to in group for state in group for to in self._targets(state))

    def _exponential(self, group: set[int]) -> str | None:
        """A word that leads from a state of the loop to itself by two ways."""
        start = min(group)

        def steps(at: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
            one, other, parted = at
            for first in self._next[one]:
                for second in self._next[other]:
                    letters = first.letters & second.letters
                    if letters and first.to in group and second.to in group:
                        apart = parted or one != other or first is not second
                        yield letters, (first.to, second.to, int(apart))

        return self._word([(start, start, 0)], lambda at: at == (start, start, 1), steps)

    def _polynomial(self, first: set[int], second: set[int]) -> str | None:
        """A word that leads round the first loop, from it to the second, and round that one.

        An attempt that may end well within the second loop is no reason to try the next place.
        """
        if self._prefix in first:
            second = second - self._accepting

        def both(at: tuple[int, int]) -> Iterator[tuple[int, int]]:
            for one in self._next[at[0]]:
                for other in self._next[at[1]]:
                    if one.letters & other.letters and one.to in first and other.to in second:
                        yield one.to, other.to

        pairs = {(one, other): None for one in first for other in second}
        between = self._reachable(first)
        for ring in components(pairs, both) if second <= between else ():
            if not any(to in ring for pair in ring for to in both(pair)):
                continue

            def steps(
                at: tuple[int, ...], ring: set[tuple[int, int]] = ring
            ) -> Iterator[tuple[int, tuple[int, ...]]]:
                for one in self._next[at[0]]:
                    for other in self._next[at[2]]:
                        letters = one.letters & other.letters
                        if letters and (one.to, other.to) in ring:
                            for middle in self._next[at[1]]:
                                if letters & middle.letters:
                                    to = (one.to, middle.to, other.to)
                                    yield letters & middle.letters, to

            starts = [(one, one, other) for one, other in ring]
            word = self._word(starts, lambda at: at[1] == at[2], steps)
            if word is not None:
                return word
        return None

    def _reachable(self, group: set[int]) -> set[int]:
        found, pending = set(group), list(group)
        while pending:
            for to in self._targets(pending.pop()):
                if to not in found:
                    found.add(to)
                    pending.append(to)
        return found

    def _word(
        self,
        starts: Sequence[tuple[int, ...]],
        wanted: Callable[[tuple[int, ...]], bool],
        steps: Callable[[tuple[int, ...]], Iterable[tuple[int, tuple[int, ...]]]],
    ) -> str | None:
        """The shortest word by which `wanted` is reached."""
        words = dict.fromkeys(starts, "")
        pending = deque(starts)
        while pending:
            at = pending.popleft()
            for letters, to in steps(at):
                if to not in words:
                    words[to] = words[at] + self._letters[(letters & -letters).bit_length() - 1]
                    if wanted(to):
                        return words[to]
                    pending.append(to)
        return None


def _is_single(item: Any) -> bool:
    return str(item[0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN")


def _characters(items: Any) -> Iterator[Any]:
    """The items that take one character, at any depth."""
    for item in items:
        if isinstance(item, tuple) and item and _is_single(item):
            yield item
        elif isinstance(item, (list, tuple, _parser.SubPattern)):
            yield from _characters(item)


def _numbers(items: Any) -> Iterator[int]:
    """Every number in the tree: code points, the ends of ranges, and counts, which do no harm."""
    for item in items:
        if isinstance(item, int):
            yield int(item)
        elif isinstance(item, (list, tuple, _parser.SubPattern)):
            yield from _numbers(item)
