"""Which SYNs are answered at XDP, by test-run beside a listener that asks for cookies, and with what."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.packets.test_events import Reports
from tests.support.kernel.dataplane import NUMBERS, KernelBench
from tests.support.net.netns import Lab, Namespace
from tests.support.packets import frames as f
from tests.support.packets.syn import ALL_OPTIONS, MSS_1460, SEQ, Syn, read_syn_ack
from xdpwall.abi import Feature
from xdpwall.kernel.bpf.programs import Program

PASS, TX = 2, 3
ALL = (1 << 64) - 1
HOST, HOST6 = "10.9.0.1", "fd00:9::1"
SYN4, SYN6 = Syn("192.0.2.7", HOST), Syn("2001:db8::7", HOST6)
SYNS = {"ipv4": SYN4, "ipv6": SYN6}
LISTENING, BOUND = 443, 8443
RULES = ["accept tcp/443,444,8443 cookie", "accept tcp/80"]


@pytest.fixture(scope="module")
def host(bench: KernelBench) -> Iterator[Namespace]:
    """A namespace whose listeners ask for cookies; this thread is in it, and so are test-runs."""
    lab = Lab(__name__)
    lab.clean()
    space = lab.namespace()
    space.run("sysctl", "-qw", "net.ipv4.tcp_syncookies=2")
    space.ip(f"addr add {HOST}/24 dev lo")
    space.ip(f"addr add {HOST6}/64 dev lo nodad")
    with space.inside(), ExitStack() as stack:
        for address, port in (("::", LISTENING), (HOST, BOUND), (HOST6, BOUND)):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            dual = address == "::"
            stack.enter_context(
                socket.create_server((address, port), family=family, dualstack_ipv6=dual)
            )
        yield space
    lab.clean()


@pytest.fixture(scope="module", params=["alone", "with flows and rates"])
def program(
    request: pytest.FixtureRequest, bench: KernelBench, host: Namespace
) -> Iterator[Program]:
    """A program with cookies."""
    bench.load(RULES)
    bench.dataplane.map_set.rates.answering = ALL
    features = bench.dataplane.programs.features
    if request.param != "alone":
        features |= Feature.FLOWS | Feature.RATES | Feature.COUNTING
    with bench.dataplane.programs.load("xdp", NUMBERS["xdp"], features=features) as made:
        yield made


def answered(bench: KernelBench) -> list[int]:
    return bench.dataplane.map_set.rates.answered(range(len(RULES)))


@pytest.mark.parametrize("family", SYNS)
@pytest.mark.parametrize("port", [LISTENING, BOUND])
@pytest.mark.parametrize("vlans", [(), (100,), (100, 7)])
@pytest.mark.parametrize("options", [b"", MSS_1460, ALL_OPTIONS], ids=["none", "mss", "all"])
def test_a_syn_is_answered(
    bench: KernelBench,
    program: Program,
    family: str,
    port: int,
    vlans: tuple[int, ...],
    options: bytes,
) -> None:
    syn = replace(SYNS[family], dport=port, options=options)
    before, counted, passed = answered(bench), bench.counters(), bench.totals("xdp").passed
    frame = syn.frame(*vlans)
    run = program.test_run(frame)
    assert run.retval == TX
    told = read_syn_ack(run.data_out)
    assert told.macs == (frame[6:12], frame[:6]) and told.tags == frame[12 : 12 + 4 * len(vlans)]
    assert (told.src, told.dst, told.ttl) == (syn.dst, syn.src, 64)
    assert (told.sport, told.dport) == (port, syn.sport)
    assert (told.flags, told.ack) == (0x12, SEQ + 1)
    # Ethernet's least length is kept, where the SYN had it.
    assert told.padding == bytes(2 if len(run.data_out) == 60 else 0)
    assert (told.src, told.dst, told.ttl) == (syn.dst, syn.src, 64)
    assert (told.sport, told.dport) == (port, syn.sport)
    assert (told.flags, told.ack) == (0x12, SEQ + 1)
    # Ethernet's least length is kept, where the SYN had it.
    assert told.padding == bytes(2 if len(run.data_out) == 60 else 0)
    # Without an option a sender takes 536 bytes (RFC 9293), or 1220 (RFC 8200).
    least = 1440 if family == "ipv4" else 1300
    assert told.mss in ((536, 1220) if not options else range(least, 1461)) and told.window == 14600
    # Counted as passed and answered, at the length it came with.
    assert [new - old for new, old in zip(answered(bench), before, strict=True)] == [1, 0]
    assert bench.counters()[0] == (counted[0][0] + 1, counted[0][1] + len(frame))
    after = bench.totals("xdp").passed
    assert (after.packets - passed.packets, after.bytes - passed.bytes) == (1, len(frame))


@pytest.mark.parametrize("family", SYNS)
@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 63, 64, 100, 999, 1460])
def test_data_in_a_syn_is_summed_and_left_out(program: Program, family: str, size: int) -> None:
    syn = replace(SYNS[family], data=bytes(n % 251 for n in range(size)))
    told = read_syn_ack(program.test_run(syn.frame()).data_out)
    assert told.ack == SEQ + 1 and not told.padding.strip(b"\0")
    for place in (0, size // 2, size - 1):
        data = bytearray(syn.data)
        data[place] ^= 0x10
        spoilt = syn.frame()[:-size] + bytes(data)
        assert program.test_run(spoilt).retval == PASS


def test_padding_stays_and_says_nothing(program: Program) -> None:
    told = read_syn_ack(program.test_run(replace(SYN4, options=b"").frame(pad=True)).data_out)
    assert told.padding == b"\0\0"


def spoilt_header() -> bytes:
    frame = bytearray(SYN4.frame())
    frame[24] ^= 1
    return bytes(frame)


def to_many() -> bytes:
    return b"\xff" * 6 + SYN4.frame()[6:]


PASSING = {
    "IPv4 header's checksum": spoilt_header(),
    "TCP checksum": replace(SYN4, spoil=1).frame(),
    "TCP checksum, IPv6": replace(SYN6, spoil=0x100).frame(),
    "no listener": replace(SYN4, dport=444).frame(),
    "no listener, IPv6": replace(SYN6, dport=444).frame(),
    "listener of another address": replace(SYN4, dst="10.9.0.99", dport=BOUND).frame(),
    "a rule without cookie": replace(SYN4, dport=80).frame(),
    "options": f.ether(f.ipv4(SYN4.segment(), src=SYN4.src, dst=HOST, options=bytes(4))),
    "an extension header": f.ether(f.ipv6(f.option(0, SYN6.segment()), src=SYN6.src, dst=SYN6.dst)),
    "a first fragment": f.ether(f.ipv4(SYN4.segment(), src=SYN4.src, dst=HOST, more=True)),
    "a first fragment, IPv6": f.ether(
        f.ipv6(f.fragment6(SYN6.segment(), more=True), src=SYN6.src, dst=SYN6.dst)
    ),
    "a segment cut off": SYN4.frame()[:-4],
    "to all machines": to_many(),
    "from a group": replace(SYN4, src="224.0.0.5").frame(),
    "from a group, IPv6": replace(SYN6, src="ff02::1").frame(),
    "from nowhere": replace(SYN4, src="0.0.0.0").frame(),
    "from nowhere, IPv6": replace(SYN6, src="::").frame(),
    "from a loopback address": replace(SYN4, src="127.0.0.1").frame(),
    "from a loopback address, IPv6": replace(SYN6, src="::1").frame(),
    "to a group": replace(SYN4, dst="224.0.0.5").frame(),
    "to a group, IPv6": replace(SYN6, dst="ff02::1").frame(),
    "UDP": f.ether(f.ipv4(f.udp(dport=443), dst=HOST)),
    "more data than is summed": replace(SYN4, data=bytes(1600)).frame(),
    **{
        f"flags {flags}": replace(SYN4, flags=flags).frame()
        for flags in ("ack", "syn,ack", "syn,fin", "syn,rst", "fin", "rst", "", "psh,ack")
    },
}


@pytest.mark.parametrize("name", PASSING)
def test_anything_else_passes_as_it_came(bench: KernelBench, program: Program, name: str) -> None:
    before = answered(bench)
    run = program.test_run(PASSING[name])
    assert (run.retval, run.data_out) == (PASS, PASSING[name])
    assert answered(bench) == before


@pytest.mark.parametrize("family", SYNS)
def test_other_flags_of_a_syn_do_not_matter(program: Program, family: str) -> None:
    """ECN's, for one; the answer takes no part in it."""
    told = read_syn_ack(
        program.test_run(replace(SYNS[family], flags="syn,ece,cwr").frame()).data_out
    )
    assert told.flags == 0x12


@pytest.mark.parametrize("family", SYNS)
def test_a_listener_that_does_not_ask(program: Program, host: Namespace, family: str) -> None:
    for value, verdict in ((0, PASS), (1, PASS), (2, TX)):  # its queue is empty
        host.run("sysctl", "-qw", f"net.ipv4.tcp_syncookies={value}")
        assert program.test_run(SYNS[family].frame()).retval == verdict


@pytest.mark.parametrize(
    ("syn", "route"),
    [
        (replace(SYN4, dst="198.51.100.9"), "route replace 198.51.100.0/24 dev lo"),
        (replace(SYN6, dst="2001:db8:9::9"), "-6 route replace 2001:db8:9::/48 dev lo"),
    ],
    ids=SYNS,
)
def test_what_is_forwarded_is_answered_by_nobody_here(
    program: Program, host: Namespace, syn: Syn, route: str
) -> None:
    """A listener without an address is found for every one, also for those of machines behind."""
    host.ip(route)
    for value, verdict in ((1, PASS), (0, TX)):
        host.run(
            *("sysctl", "-qw", f"net.ipv4.conf.lo.forwarding={value}"),
            f"net.ipv6.conf.lo.forwarding={value}",
        )
        assert program.test_run(syn.frame()).retval == verdict
        assert program.test_run(SYN4.frame()).retval == TX
        assert program.test_run(SYN6.frame()).retval == TX


def test_a_program_that_may_not_answer(bench: KernelBench, host: Namespace) -> None:
    bench.load(RULES)
    rates, program = bench.dataplane.map_set.rates, bench.program("xdp")
    for bits, verdict in ((ALL & ~(1 << NUMBERS["xdp"]), PASS), (1 << NUMBERS["xdp"], TX)):
        rates.answering = bits
        assert program.test_run(SYN4.frame()).retval == verdict
    rates.answering = ALL


def test_tc_and_explaining_answer_nothing(bench: KernelBench, host: Namespace) -> None:
    bench.load(RULES)
    assert not bench.run("tc-ingress", SYN4.frame())
    with bench.dataplane.programs.load_explainer("xdp") as explainer:
        assert explainer is not None
    assert answered(bench) == [0, 0]


def test_an_answered_syn_makes_no_flow(bench: KernelBench, host: Namespace) -> None:
    from tests.support.kernel.flows import Flows

    bench.load(["accept tcp/443 keep cookie", "accept tcp/444 keep cookie"])
    bench.dataplane.map_set.rates.answering = ALL
    Flows(bench.dataplane).flush()
    assert bench.program("xdp").test_run(SYN4.frame()).retval == TX
    assert Flows(bench.dataplane).flows() == []
    assert bench.program("xdp").test_run(replace(SYN4, dport=444).frame()).retval == PASS
    (flow,) = Flows(bench.dataplane).flows()
    assert flow.reply[1] == 444


@pytest.mark.parametrize("family", SYNS)
def test_an_event_says_what_was_answered(bench: KernelBench, host: Namespace, family: str) -> None:
    """With the SYN as it came, not the answer that its frame is now; and of other SYNs nothing of the kind."""
    syn = SYNS[family]
    with Reports(bench) as reports:
        reports.load("accept tcp/443,444 cookie keep log")
        bench.dataplane.map_set.rates.answering = ALL
        told = reports.one(syn.frame())
        assert told["answered"] is True
        assert (told["verdict"], told["tcp_flags"]) == ("pass", "syn")
        assert (told["src"], told["dst"], told["dport"]) == (syn.src, syn.dst, LISTENING)
        others = (
            reports.one(replace(syn, dport=444).frame()),
            reports.one(syn.frame(), "tc-ingress"),
        )
        for passed in others:
            assert "answered" not in passed and passed["state"] == "new"
