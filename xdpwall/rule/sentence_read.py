"""Reader of sentences like `drop tcp/22 from not 10.0.0.0/8 on eth0 in`. Pure.

    ACTION [icmp[/TYPE[/CODE]] | icmpv6[...] | tcp[/DPORTS] | udp[...] | sctp[...] | NAME | proto N]
    clauses, in any order, each once

An error's `span` is the range of characters that is wrong; its message says the word, its place
and what was expected there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xdpwall.errors import InvalidInput
from xdpwall.values.inputs import error_value, printable, quoted
from xdpwall.values.protocols import ICMP_PROTOCOLS, PORT_PROTOCOLS, PROTOCOLS
from xdpwall.values.time_read import parse_duration, parse_moment
from xdpwall.values.times import expiry_after

from .consistency import canonical_fields
from .field_names import RATE_FIELDS
from .sentence_words import (
    ACTIONS,
    BARE,
    CLAUSES,
    NEGATABLE,
    RATED,
    VALUED,
)
from .sentence_write import quote_word

_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+))', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a sentence; `span` is its range of characters, quotes included."""

    text: str
    span: tuple[int, int]
    quoted: bool = False


def read_sentence(text: str) -> dict[str, Any]:
    """The canonical fields that a sentence says."""
    return _SentenceReader(text).read()


def read_match(text: str) -> dict[str, Any]:
    """The canonical fields of a sentence without its action, and `action: count`."""
    return _SentenceReader(text, "count").read()


def split_words(text: str) -> list[Word]:
    """The words of a sentence, quoted text as one word."""
    found = []
    end = len(text.rstrip())
    position = 0
    while position < end:
        match = _WORD.match(text, position)
        if match is None:
            break
        quoted = match[1] is not None
        span = match.span(1) if quoted else match.span(2)
        if quoted:
            span = (span[0] - 1, span[1] + 1)
            found.append(Word(_ESCAPE.sub(r"\1", match[1]), span, True))
        elif match[2].startswith('"'):
            raise _wrong(match[2], span, "a closing quote, and a space after it", "comment")
        else:
            found.append(Word(match[2], span))
        position = match.end()
    return found


def join_words(words: Sequence[str]) -> str:
    """One sentence of a command line's arguments, whose quotes the shell has taken away."""
    joined: list[str] = []
    clause = ""
    for word in words:
        joined.append(quote_word(word) if clause == "comment" else word)
        # What a clause word takes is not a clause word itself: `on comment` is an interface.
        takes = clause not in VALUED and word in VALUED
        clause = word if takes else clause if word == "not" and clause in NEGATABLE else ""
    return " ".join(joined)


def _wrong(
    word: str, span: tuple[int, int], expected: str, field: str = "text", hint: str | None = None
) -> InvalidInput:
    return InvalidInput(
        f"{quoted(word)} at character {span[0] + 1}: expected {expected}",
        field=field,
        value=error_value(word),
        span=span,
        hint=hint and printable(hint),
    )


class _SentenceReader:
    """Walks the words once; remembers where each field was said, for errors found later."""

    def __init__(self, text: str, action: str | None = None) -> None:
        """`action`: the text has none, and begins with the protocol."""
        self.text = text
        self.words = split_words(text)
        self.next = 0
        self.fields: dict[str, Any] = {} if action is None else {"action": action}
        self._first = 0 if action else 1
        self.spans: dict[str, tuple[int, int]] = {}

    def read(self) -> dict[str, Any]:
        if self._first:
            self._action()
        self._protocol()
        while self.next < len(self.words):
            self._clause(self._take())
        try:
            return canonical_fields(self.fields)
        except InvalidInput as error:
            raise self._placed(error) from None

    def _placed(self, error: InvalidInput) -> InvalidInput:
        span = self.spans.get(error.field or "")
        if span:
            error.span = span
            error.message = f"{error.message} (at character {span[0] + 1})"
            error.args = (error.message,)
        return error

    def _take(self) -> Word:
        self.next += 1
        return self.words[self.next - 1]

    def _peek(self) -> str | None:
        """The next word, when it may be a word of the language."""
        if self.next < len(self.words) and not self.words[self.next].quoted:
            return self.words[self.next].text
        return None

    def _put(self, field: str, value: object, span: tuple[int, int]) -> None:
        if field in self.fields:
            first = self.spans[field]
            said = quoted(self.text[first[0] : first[1]])
            word = self.text[span[0] : span[1]]
            both = field == "direction" and word != said.strip("'")
            hint = "without in and out a rule is about both directions" if both else None
            raise _wrong(word, span, f"{field} only once, {said} says it already", field, hint)
        self.fields[field] = value
        self.spans[field] = span

    def _action(self) -> None:
        if not self.words:
            end = len(self.text)
            raise InvalidInput(
                "an empty sentence: expected drop, accept or count",
                field="action",
                value="",
                span=(end, end),
            )
        word = self._take()
        if word.quoted or word.text not in ACTIONS:
            from .sentence_hints import action_hint  # only an error needs it

            hint = action_hint(word.text)
            raise _wrong(word.text, word.span, "drop, accept or count", "action", hint)
        self._put("action", word.text, word.span)

    def _protocol(self) -> None:
        word = self._peek()
        if word is None:
            return
        name, slash, rest = word.partition("/")
        if word == "proto":
            start = self._take().span[0]
            value = self._value("proto", "proto", "a number from 0 to 255", start)
            self._put("proto", value.text, value.span)
        elif name in PROTOCOLS:
            span = self._take().span
            self._put("proto", name, (span[0], span[0] + len(name)))
            if slash:
                self._after_slash(name, rest, span)

    def _after_slash(self, name: str, rest: str, span: tuple[int, int]) -> None:
        start = span[0] + len(name) + 1
        if name in PORT_PROTOCOLS:
            if not rest:
                raise _wrong(f"{name}/", span, "ports after the /", "dport")
            self._put("dport", rest, (start, span[1]))
        elif name in ICMP_PROTOCOLS:
            kind, slash, code = rest.partition("/")
            if not kind or slash and not code:
                raise _wrong(
                    f"{name}/{rest}", span, f"{name}/TYPE or {name}/TYPE/CODE", "icmp_type"
                )
            middle = start + len(kind)
            self._put("icmp_type", kind, (start, middle))
            if slash:
                self._put("icmp_code", code, (middle + 1, span[1]))
        else:
            raise _wrong(f"{name}/{rest}", span, f"{name} alone: it has neither ports nor types")

    def _value(self, clause: str, field: str, wanted: str, start: int) -> Word:
        if self.next < len(self.words):
            return self._take()
        end = len(self.text.rstrip())
        kept = clause == "state" and "keep" in self.fields
        raise InvalidInput(
            f"{clause!r} at character {start + 1}: expected {wanted} after it",
            field=field,
            value=clause,
            span=(start, end),
            hint="keep stands alone, without state: accept tcp/22 keep" if kept else None,
        )

    def _clause(self, word: Word) -> None:
        start = word.span[0]
        name = word.text
        if word.quoted or name not in CLAUSES:
            raise self._no_clause(word)
        if name in BARE:
            field, value = BARE[name]
            self._put(field, value, word.span)
            return
        if name == "fragment":
            kind = self._peek()
            if kind in ("first", "later"):
                self._put("fragment", kind, (start, self._take().span[1]))
            else:
                self._put("fragment", True, word.span)
            return
        field, wanted = VALUED[name]
        negated = name in NEGATABLE and self._peek() == "not"
        if negated:
            self._take()
        taken = self._value(f"{name} not" if negated else name, field, wanted, start)
        span = taken.span
        text = taken.text
        if negated and text.startswith("!"):
            raise _wrong(text, taken.span, f"{wanted}: 'not' and '!' are one too many", field)
        if field == "expires":
            text = self._expiry(name, text, span)
        elif field in RATE_FIELDS:
            text, span = self._rate(field, taken)
        self._put(field, f"!{text}" if negated else text, span)

    def _rate(self, field: str, first: Word) -> tuple[str, tuple[int, int]]:
        """The words of a rate: what was taken, and `burst B` and `per S` behind it."""
        words, span = [first.text], first.span
        while (name := self._peek()) in RATED and name not in words:
            start = self._take().span[0]
            taken = self._value(str(name), field, RATED[str(name)], start)
            words += [str(name), taken.text]
            span = (span[0], taken.span[1])
        return " ".join(words), span

    def _expiry(self, clause: str, text: str, span: tuple[int, int]) -> str:
        try:
            if clause == "for":
                return expiry_after(parse_duration("expires", text))
            return parse_moment("expires", text)
        except InvalidInput as error:
            self.spans["expires"] = span
            raise self._placed(error) from None

    def _no_clause(self, word: Word) -> InvalidInput:
        from .sentence_hints import clause_hint  # only an error needs it

        name = word.text
        second = self.next == self._first + 1 and not word.quoted
        action = f"{self.fields['action']} " if self._first else ""
        # A comment may have been said and more words follow it, which were meant for it.
        before = "comment" if "comment" in self.fields else self.words[self.next - 2].text
        proto = self.fields.get("proto")
        hint = clause_hint(name, before if self.next > 1 else "", proto, action, second)
        wanted = f"a clause: {', '.join(CLAUSES)}"
        if second:
            wanted = f"a protocol: {', '.join(PROTOCOLS)}, proto N; or {wanted}"
        return _wrong(name, word.span, wanted, "text", hint)
