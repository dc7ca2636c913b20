"""The explaining programs: the verdict and the rules of the attached ones, and nothing is written."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.compiling import compile_rules
from tests.support.kernel.dataplane import NUMBERS, PLACES, KernelBench
from tests.support.oracle.duel.case import Case
from tests.support.oracle.duel.draw import draw_case
from tests.support.oracle.duel.duel import Duel, rulings, runnable
from tests.support.packets import frames as f
from xdpwall import abi
from xdpwall.dataplane.control_word import Trial
from xdpwall.dataplane.explaining import MOST_RUN, Answer, Explainer, FirstFragment, Hook, Question
from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import object_path, read_btf
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

SEED = 20_261_201
FRAMES = 1000
"""Of each place."""
WRITTEN = ("counters", "totals", "fragments", "event_counts", "event_limits", "control")


class Explaining:
    """Both explaining programs on the bench's maps; loaded again after those grew."""

    def __init__(self, bench: KernelBench) -> None:
        self.bench = bench
        self._loaded: dict[str, tuple[int, Explainer]] = {}

    def ask(self, place: Place, frame: bytes, **more: object) -> Answer:
        hook: Hook = "xdp" if place == "xdp" else "tc"
        maps = self.bench.dataplane.map_set.maps["rows"].info.id
        if self._loaded.get(hook, (0, None))[0] != maps:
            self.forget(hook)
            explainer = self.bench.dataplane.programs.load_explainer(hook)
            self._loaded[hook] = maps, explainer
        question = Question(NUMBERS[place], place == "tc-egress")
        return self._loaded[hook][1].ask(frame, replace(question, **more))  # type: ignore[arg-type]

    def forget(self, hook: str) -> None:
        if hook in self._loaded:
            self._loaded.pop(hook)[1].close()


@pytest.fixture(scope="module")
def explaining(bench: KernelBench) -> Iterator[Explaining]:
    made = Explaining(bench)
    yield made
    for hook in ("xdp", "tc"):
        made.forget(hook)


def written(bench: KernelBench) -> dict[str, list[object]]:
    """All that an attached program may write, and the ring's position."""
    found: dict[str, list[object]] = {}
    for name in WRITTEN:
        with Map.open_pinned(bench.dataplane.folder / "maps" / name) as m:
            found[name] = [(key, m.lookup(key)) for key in list(m.keys())]
    return found


def of_step(answer: Answer) -> tuple[bool, int | None, tuple[int, ...], bool, bool]:
    """In the words of the reference: dropped, by which rule, what counted, by policy, unreadable."""
    counted = tuple(rule.slot for rule in answer.matched if rule.counted)
    malformed = bool(answer.record[abi.EVENT.fields["malformed"][1]])  # type: ignore[index]
    by = None if answer.by is None else answer.by.slot
    return answer.dropped, by, counted, answer.dropped and answer.by_policy, malformed


def test_attached_programs_have_nothing_of_it() -> None:
    """Packets pay nothing: the maps of the explaining programs are not in the others' objects."""
    for hook in ("xdp", "tc"):
        attached, explaining = (
            {*read_btf(object_path(name)).section(".maps")}
            for name in (f"{hook}_flows", f"explain_{hook}")
        )
        assert explaining - attached == {"question", "answer"}
        assert attached <= explaining


def test_it_agrees_with_the_attached_program(bench: KernelBench, explaining: Explaining) -> None:
    """Verdict, deciding rule and the rules before it; the attached program runs each frame next."""
    duel, asked = Duel(bench), dict.fromkeys(PLACES, 0)
    decided = {"by a rule": 0, "by policy": 0, "after a rule that counts": 0}
    rng, seed = random.Random(SEED), SEED
    while min(asked.values()) < FRAMES:
        seed += 1
        drawn = draw_case(seed)
        steps = tuple(step for step in drawn.steps if runnable(step))
        case = Case(drawn.rules, drawn.policy, steps)
        wanted = rulings(case, bench.iface, duel.by)
        duel._load(case)
        copy = bench.dataplane.control.read().copy
        for step, ruling in zip(steps, wanted, strict=True):
            answer = explaining.ask(step.place, step.frame, copy=rng.choice((None, copy)))
            right = ruling.dropped, ruling.rule, ruling.counted
            assert of_step(answer) == (*right, ruling.policy_dropped, ruling.malformed), (
                f"seed {seed}: {answer}\n{ruling.why}\n{case.as_code()}"
            )
            assert bench.run(step.place, step.frame) == answer.dropped
            asked[step.place] += 1
            decided["by a rule"] += answer.by is not None
            decided["by policy"] += answer.by_policy
            decided["after a rule that counts"] += len(answer.matched) > 1
    assert min(decided.values()) > 100, decided


def test_it_writes_nothing(bench: KernelBench, explaining: Explaining) -> None:
    bench.load(["count udp log", "drop udp/53 log", "accept udp"])
    frames = (
        f.ether(f.ipv4(f.udp())),
        f.ether(f.ipv4(f.udp(bytes(16)), more=True, ident=99)),
        f.ether(f.ipv4(f.tcp())),
    )
    before = written(bench)
    for place in PLACES:
        assert [explaining.ask(place, frame).dropped for frame in frames] == [True, True, False]
    assert written(bench) == before
    for place in PLACES:
        for frame in frames:
            bench.run(place, frame)
    after = written(bench)
    assert {name for name in WRITTEN if after[name] != before[name]} >= {
        "counters",
        "totals",
        "fragments",
    }


def test_the_copy_that_is_not_in_force(bench: KernelBench, explaining: Explaining) -> None:
    """A generation can be asked before it is switched to."""
    bench.load(["accept udp"])
    frame, generations = f.ether(f.ipv4(f.udp())), bench.dataplane.generations
    places = [(n, "eth0", "egress" if p == "tc-egress" else "ingress") for p, n in NUMBERS.items()]
    rules = [(Rule.parse("count udp"), 4), (Rule.parse("drop udp"), 9)]
    compiled = compile_rules(rules, Policy(), places)
    generations.expect(compiled)
    generations.fill(compiled)
    now = bench.dataplane.control.read().copy
    for place in PLACES:
        assert not explaining.ask(place, frame).dropped
        assert not explaining.ask(place, frame, copy=now).dropped
        staged = explaining.ask(place, frame, copy=1 - now)
        assert staged.dropped and [rule.slot for rule in staged.matched] == [4, 9]
    bench.load(["accept udp"])


def test_it_says_what_the_attachment_finds(bench: KernelBench, explaining: Explaining) -> None:
    """Off, muted and pending, as a packet finds them; a copy that is asked for is judged anyway."""
    bench.load(["drop udp"])
    control, frame = bench.dataplane.control, f.ether(f.ipv4(f.udp()))
    copy = control.read().copy

    def answers() -> list[tuple[bool, bool]]:
        found = [explaining.ask(place, frame) for place in PLACES]
        return [(answer.dropped, answer.passing) for answer in found]

    judged, passing = (True, False), (False, True)
    assert answers() == [judged] * 3
    control.set_switch(False)
    assert answers() == [passing] * 3
    assert all(explaining.ask(place, frame, copy=copy).dropped for place in PLACES)
    control.set_switch(True)
    control.mute(NUMBERS["tc-ingress"], 4711)
    assert answers() == [judged, passing, judged]
    control.unmute(NUMBERS["tc-ingress"])
    compiled = bench.dataplane.generations.active
    assert compiled is not None
    bench.dataplane.generations.expect(compiled)
    bench.dataplane.generations.fill(compiled)
    bench.revision += 1
    leaving = (NUMBERS["tc-egress"],)
    bench.dataplane.generations.switch(bench.revision, trial=Trial(3600, leaving=leaving))
    assert answers() == [judged, judged, passing]
    pending = explaining.ask("xdp", frame)
    assert (pending.copy, pending.revision) == (1 - copy, bench.revision)
    control.revert()
    assert answers() == [judged] * 3


def test_what_a_run_cannot_say(bench: KernelBench, explaining: Explaining) -> None:
    """A stripped tag, bytes that are not given, and what the first fragment had."""
    bench.load(["drop vlan 7", "drop udp dport 53 fragment later", "drop length 1400"])
    whole = f.ether(f.ipv4(f.udp(bytes(1400 - 28))))
    later = f.ether(f.ipv4(f.raw(17, bytes(24)), offset=3, ident=4711))
    for place in PLACES:
        tagged = explaining.ask(place, f.ether(f.ipv4(f.tcp())), vlan=7)
        assert tagged.dropped == (place != "xdp"), "XDP never sees the metadata"
        assert explaining.ask(place, whole[:60], length=len(whole)).by is not None
        unknown = explaining.ask(place, later)
        assert unknown.dropped, "what cannot be read meets a drop rule"
        for port, dropped in ((53, True), (54, False)):
            told = FirstFragment(proto=17, sport=1000, dport=port)
            assert explaining.ask(place, later, first=told).dropped == dropped
    large = f.ether(f.ipv4(f.udp(bytes(8000))))
    assert len(large) > MOST_RUN
    for place in PLACES:
        answer = explaining.ask(place, large)
        assert not answer.dropped and not of_step(answer)[4]


def test_expired_rules_and_log(bench: KernelBench, explaining: Explaining) -> None:
    past = Rule.parse("drop udp until 2001-01-01T00:00:00Z")
    bench.load(
        [past, Rule.parse("count udp log"), Rule.parse("accept udp until 2100-01-01T00:00:00Z")]
    )
    for place in PLACES:
        answer = explaining.ask(place, f.ether(f.ipv4(f.udp())))
        assert [(rule.slot, rule.expired, rule.log) for rule in answer.matched] == [
            (0, True, False),
            (1, False, True),
            (2, False, False),
        ]
        assert answer.by == answer.matched[-1] and not answer.dropped


def test_many_rules_that_count(bench: KernelBench, explaining: Explaining) -> None:
    """All of them are listed, in order."""
    bench.load(["count udp"] * 5000)
    answer = explaining.ask("xdp", f.ether(f.ipv4(f.udp())))
    assert [rule.slot for rule in answer.matched] == list(range(5000))
    assert answer.by is None and answer.by_policy


def test_a_frame_that_the_kernel_does_not_run(bench: KernelBench, explaining: Explaining) -> None:
    bench.load([])
    with pytest.raises(XdpwallError):
        explaining.ask("xdp", bytes(13))
    with pytest.raises(XdpwallError):
        explaining.ask("tc-ingress", f.ether(f.ipv4(f.udp()))[:20])
    assert not explaining.ask("xdp", f.ether(f.ipv4(f.udp()))[:20]).dropped


def test_the_memory_of_first_fragments_is_read(bench: KernelBench, explaining: Explaining) -> None:
    bench.load(["drop udp/53", "accept udp"])
    ident = time.monotonic_ns() & 0xFFFF
    first = f.ether(f.ipv4(f.udp(bytes(16), dport=5353), more=True, ident=ident))
    later = f.ether(f.ipv4(f.raw(17, bytes(24)), offset=3, ident=ident))
    explaining.ask("xdp", first)
    assert explaining.ask("xdp", later).dropped, "explaining keeps nothing"
    bench.run("xdp", first)
    assert not explaining.ask("xdp", later).dropped
    assert explaining.ask("xdp", later).by == explaining.ask("xdp", first).by
