"""Following an engine: what it tells is told on, whatever becomes of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.support.net.engine import ID, FakeEngine, container
from tests.support.net.netns import wait_for
from tests.support.service.nobody import open_folder
from xdpwall.containers.engine import MOST_BYTES, Engine, EngineFailed
from xdpwall.containers.follow import Follower
from xdpwall.containers.handover import Handover, read_snapshot
from xdpwall.errors import Conflict, Refused
from xdpwall.views.containers import ContainerSnapshot

OTHER = "5e" * 32


@pytest.fixture
def engine(short: Path) -> Iterator[FakeEngine]:
    with FakeEngine(short / "engine.sock") as fake:
        yield fake


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose sockets have short paths."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(autouse=True)
def any_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No container runs here; which process is whose, real ones show (e2e/test_containers.py)."""
    monkeypatch.setattr("xdpwall.containers.follow.is_process_of", lambda pid, _: pid != 666)


@contextmanager
def following(
    path: Path, patience: float = 20.0, silence: float = 60.0
) -> Iterator[list[ContainerSnapshot]]:
    """A follower in a thread, and what it told."""
    told: list[ContainerSnapshot] = []
    follower = Follower(Engine(path, patience), told.append, silence)
    thread = threading.Thread(target=follower.run, daemon=True)
    thread.start()
    yield told
    follower.close()


def names(told: list[ContainerSnapshot]) -> list[str]:
    """Those of the last snapshot."""
    return [one.name for one in told[-1].containers] if told else []


def event(action: str, identity: str, **attributes: str) -> dict[str, object]:
    return {
        "Type": "container",
        "Action": action,
        "Actor": {"ID": identity, "Attributes": attributes},
    }


def test_what_runs_is_told_and_changes_are(engine: FakeEngine) -> None:
    engine.run(container())
    with following(engine.path) as told:
        wait_for(lambda: names(told) == ["web"], "the first container")
        assert told[-1].complete and told[-1].problems == []
        engine.run(container(), container(OTHER, "/db"))
        engine.events.put(event("start", OTHER))
        wait_for(lambda: names(told) == ["db", "web"], "the second one")
        # A container that has got a new process, and name, is asked again.
        engine.run(container(ID, "/new", State={"Pid": 77}))
        engine.events.put(event("rename", ID))
        wait_for(lambda: names(told) == ["new"], "the new name")
        assert told[-1].containers[0].process == 77
        # Health checks and exec are no changes.
        asked = len(engine.asked)
        engine.events.put(event("exec_start: ls", ID))
        engine.events.put(event("health_status: healthy", ID))
        engine.run()
        engine.events.put(
            {
                "Type": "network",
                "Action": "disconnect",
                "Actor": {"ID": "x", "Attributes": {"container": ID}},
            }
        )
        wait_for(lambda: names(told) == [], "no container")
        assert len(engine.asked) == asked + 2  # containers, networks
    assert {method for method, _ in engine.asked} == {"GET"}


def test_an_engine_that_goes_leaves_what_it_told_and_is_asked_again(short: Path) -> None:
    path = short / "engine.sock"
    with following(path) as told:
        wait_for(lambda: bool(told), "that nothing answers")
        assert not told[-1].complete and told[-1].containers == []
        with FakeEngine(path) as engine:
            engine.run(container())
            wait_for(lambda: names(told) == ["web"] and told[-1].complete, "the container")
        wait_for(lambda: not told[-1].complete, "that the engine has gone")
        assert names(told) == ["web"] and str(path) in told[-1].problems[0]
        with FakeEngine(path) as engine:
            wait_for(lambda: told[-1].complete, "the engine again")
            assert names(told) == []


def test_what_cannot_be_read_is_left_out_and_told(engine: FakeEngine) -> None:
    engine.run(container(), container(OTHER, "/\x1b[2J"))
    with following(engine.path) as told:
        wait_for(lambda: names(told) == ["web"], "the good one")
        assert not told[-1].complete
        (problem,) = told[-1].problems
        assert OTHER[:12] in problem and "\x1b" not in problem


def test_a_process_of_another_pid_namespace_is_nobodys(engine: FakeEngine) -> None:
    engine.run(container(), container(OTHER, "/far", State={"Pid": 666}))
    with following(engine.path) as told:
        wait_for(lambda: names(told) == ["web"], "the near one")
        assert "container far is left out: process 666 is not of it here" in told[-1].problems[0]


def test_silence_means_to_ask_anew(engine: FakeEngine) -> None:
    engine.run()
    with following(engine.path, silence=0.1) as told:
        wait_for(lambda: bool(told), "the first look")
        engine.run(container())  # and no event tells of it
        wait_for(lambda: names(told) == ["web"], "what no event told")


@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"[" * 100_000, b"\xff\xfe", {"not": "a list"}, [1], [{"Id": "../../etc"}]],
)
def test_nonsense_is_a_failure_in_words(engine: FakeEngine, answer: object) -> None:
    engine.answers["/containers/json"] = answer
    with following(engine.path) as told:
        wait_for(lambda: bool(told), "the failure")
        assert not told[-1].complete and told[-1].problems[0].isprintable()


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Bytes without an end."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * (1 << 20))
    except OSError:
        return


def silent(handler: BaseHTTPRequestHandler) -> None:
    """Nothing, until the other side goes."""
    handler.rfile.read(1)


def test_an_answer_without_an_end_is_not_read_to_it(engine: FakeEngine) -> None:
    engine.answers["/networks"] = endless
    with pytest.raises(EngineFailed, match=f"more than {MOST_BYTES >> 20} MB"):
        Engine(engine.path).get("/networks")


def test_an_engine_that_says_nothing_is_given_up(engine: FakeEngine) -> None:
    engine.answers["/networks"] = silent
    with pytest.raises(EngineFailed, match="timed out"):
        Engine(engine.path, patience=0.2).get("/networks")


SNAPSHOT = ContainerSnapshot(engine="/e", taken="2026-12-01T10:00:00Z", complete=True)


def test_the_file_says_whether_it_is_kept_up_to_date(short: Path) -> None:
    path = short / "own" / "containers.json"
    assert read_snapshot(path) is None
    with Handover(path) as handover:
        assert read_snapshot(path) is None
        handover.write(SNAPSHOT)
        assert read_snapshot(path) == SNAPSHOT
        with pytest.raises(Conflict, match="another process"):
            Handover(path)
    old = read_snapshot(path)
    assert old is not None and not old.complete and "systemctl start" in old.problems[0]
    with Handover(path) as handover:
        handover.write(SNAPSHOT)
        assert read_snapshot(path) == SNAPSHOT


def test_a_strangers_file_is_not_believed(short: Path) -> None:
    path = short / "containers.json"
    with Handover(path) as handover:
        handover.write(SNAPSHOT)

        os.chown(path, 65534, 65534)
        with pytest.raises(Refused, match="65534"):
            read_snapshot(path)


def test_what_was_told_before_stands_until_the_engine_answers(engine: FakeEngine) -> None:
    engine.run(container())
    with following(engine.path) as told:
        wait_for(lambda: names(told) == ["web"], "the container")
    last = told[-1]
    engine.close()
    found: list[ContainerSnapshot] = []
    follower = Follower(Engine(engine.path, 20.0), found.append, last=last)
    thread = threading.Thread(target=follower.run, daemon=True)
    thread.start()
    wait_for(lambda: found, "that nobody answers")
    assert names(found) == ["web"] and not found[-1].complete
    follower.close()
    thread.join()
    # Of another engine it is not.
    assert Follower(Engine(engine.path.with_name("other")), found.append, last=last)._last is None
