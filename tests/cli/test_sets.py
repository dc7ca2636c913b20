"""xdpwall set, on real maps, with the service and without."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from tests.cli.support import Instance


def names(wall: Instance) -> list[str]:
    return wall.here("set", "list", "-o", "name").stdout.split()


def entries(wall: Instance, name: str) -> list[str]:
    return wall.here("set", "list", name, "--all", "-o", "name").stdout.split()


def test_a_set_from_its_making_to_its_end(wall: Instance) -> None:
    assert "created: bad" in wall.done("set", "create", "bad")
    assert "already there: bad" in wall.done("set", "create", "bad")
    assert wall.json("set", "create", "bad")["changed"] is False
    assert "bad: 2 added; 2 entries now" in wall.done("set", "add", "bad", "10.0.0.0/8", "::1")
    assert "1 added, 1 unchanged" in wall.done("set", "add", "bad", "10.0.0.0/8", "192.0.2.7")
    assert entries(wall, "bad") == ["192.0.2.7", "10.0.0.0/8", "::1"]
    wall.done("rule", "add", "drop", "from", "@bad", "--id", "one")
    listed = wall.json("set", "list")["sets"]
    assert [(one["name"], one["entries"], one["rules"]) for one in listed] == [("bad", 3, ["one"])]
    refused = wall.here("set", "delete", "bad")
    assert refused.exit_code == 5 and "one" in refused.stderr
    assert "1 removed, 1 unchanged; 2 entries now" in wall.done(
        "set", "remove", "bad", "::1", "::2"
    )
    wall.done("rule", "delete", "one")
    assert "deleted: bad" in wall.done("set", "delete", "bad")
    assert names(wall) == []
    assert wall.here("set", "delete", "bad").exit_code == 3
    assert "nothing to delete" in wall.done("set", "rm", "bad", "--ignore-missing")


def test_an_entry_with_a_time_says_when_it_leaves(wall: Instance) -> None:
    wall.done("set", "create", "bad")
    wall.done("set", "add", "bad", "192.0.2.7", "--for", "1h")
    shown = wall.json("set", "list", "bad")
    (row,) = shown["entries"]
    assert shown["set"]["timed"] == 1 and shown["set"]["next_expiry"] == row["expires"]
    assert f"192.0.2.7  until {row['expires']}" in wall.here("set", "list", "bad").stdout
    assert wall.json("set", "test", "bad", "192.0.2.7")["expires"] == row["expires"]
    wall.done("set", "add", "bad", "192.0.2.7")
    assert wall.json("set", "list", "bad")["entries"] == [{"entry": "192.0.2.7"}]


def test_test_says_by_which_entries_and_ends_with_1_otherwise(wall: Instance) -> None:
    wall.done("set", "create", "bad")
    wall.done("set", "add", "bad", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3")
    assert "10.1.2.3 is in bad: 10.0.0.0/8, 10.1.0.0/16, 10.1.2.3" in (
        wall.here("set", "test", "bad", "10.1.2.3").stdout
    )
    missed = wall.here("set", "test", "bad", "11.0.0.1")
    assert (missed.exit_code, missed.stdout) == (1, "11.0.0.1 is not in bad\n")


WRONG = {
    "set create Bad": 2,
    "set create": 2,
    "set add bad 10.0.0.1/8": 2,
    "set add bad 192.0.2.1 example.org": 2,
    "set add bad !10.0.0.1": 2,
    "set add bad 192.0.2.1 --for soon": 2,
    "set add none 192.0.2.1": 3,
    "set remove none 192.0.2.1": 3,
    "set remove bad x": 2,
    "set test none 192.0.2.1": 3,
    "set test bad 10.0.0.0/8": 2,
    "set test bad x": 2,
    "set list none": 3,
    "set load bad /nonexistent/file": 3,
    "set load bad /": 2,
    "set load Bad /dev/null": 2,
    "set delete none": 3,
    "set delete bad": 5,
    "rule add drop from @none": 2,
    "rule add drop from @bad/8": 2,
}


def test_what_is_wrong_changes_nothing(wall: Instance) -> None:
    wall.done("set", "create", "bad")
    wall.done("set", "add", "bad", "192.0.2.9")
    wall.done("rule", "add", "drop", "from", "@bad")
    before = wall.json("set", "list", "bad")
    for command, code in WRONG.items():
        done = wall.here(*command.split())
        assert done.exit_code == code, (command, done.stderr)
        assert done.stderr.startswith("error: "), command
    assert wall.json("set", "list", "bad") == before


def test_load_replaces_and_reports(wall: Instance, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# bad ones\n10.0.0.0/8\n10.1.2.3\n192.0.2.7\n192.0.2.7 ; again\n2001:db8::1\n")
    words = wall.done("set", "load", "bad", str(path))
    assert "loaded: bad: 3 entries (6 lines, 1 duplicate, 1 inside wider entries)" in words
    assert "line 5: 192.0.2.7" in words and "line 3: 10.1.2.3" in words
    assert entries(wall, "bad") == ["192.0.2.7", "10.0.0.0/8", "2001:db8::1"]
    path.write_bytes(gzip.compress(b"198.51.100.1\nbad line\n198.51.100.2\n"))
    refused = wall.here("set", "load", "bad", str(path))
    assert refused.exit_code == 2
    assert f"{path}: line 2: 'bad line'" in refused.stderr and "--skip-bad" in refused.stderr
    assert len(entries(wall, "bad")) == 3
    answer = wall.json("set", "load", "bad", str(path), "--skip-bad")
    assert answer["changed"] and answer["set"]["entries"] == 2
    assert answer["report"]["rejected"] == 1
    assert answer["report"]["rejected_lines"][0]["line"] == 2
    assert entries(wall, "bad") == ["198.51.100.1", "198.51.100.2"]


def test_load_takes_standard_input_and_ipsets_timeouts(wall: Instance) -> None:
    saved = "create old hash:ip timeout 0\nadd old 192.0.2.1 timeout 600\nadd old 192.0.2.2\n"
    wall.ok("set", "load", "bad", "-", stdin=saved)
    rows = wall.json("set", "list", "bad")["entries"]
    assert [(row["entry"], "expires" in row) for row in rows] == [
        ("192.0.2.1", True),
        ("192.0.2.2", False),
    ]


def test_many_entries_are_listed_in_pages(wall: Instance, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"10.{i >> 8}.{i & 255}.1\n" for i in range(2500)))
    wall.done("set", "load", "many", str(path))
    done = wall.here("set", "list", "many")
    assert len(done.stdout.split()) == 1000 and "1,500 more; --all lists them" in done.stderr
    assert len(entries(wall, "many")) == 2500
    part = wall.json("set", "list", "many", "--start", "2499", "--limit", "5")
    assert (part["start"], part["entries"]) == (2499, [{"entry": "10.9.195.1"}])


def test_a_ruleset_with_sets_is_applied_and_exported(wall: Instance, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "bad.txt").write_text("192.0.2.7\n198.51.100.0/24\n")
    path = tmp_path / "office.yaml"
    path.write_text(
        "version: 1\n"
        "sets:\n"
        "  bad: {file: lists/bad.txt}\n"
        "  friends: {entries: [10.0.0.0/8]}\n"
        "rules:\n"
        "  - drop from @bad\n"
        "  - drop tcp/22 from not @friends\n"
    )
    wall.done("set", "create", "unused")
    words = wall.done("apply", str(path))
    assert "set bad made" in words and "set unused deleted" in words
    assert names(wall) == ["bad", "friends"]
    assert entries(wall, "bad") == ["192.0.2.7", "198.51.100.0/24"]
    again = wall.json("apply", str(path))
    assert (again["sets_added"], again["sets_replaced"], again["kept"]) == ([], [], 2)
    exported = wall.ok("export")
    assert "  bad:\n    entries:\n      - 192.0.2.7\n      - 198.51.100.0/24\n" in exported
    wall.done("set", "add", "bad", "192.0.2.8")
    wall.ok("apply", "-", stdin=exported)
    assert entries(wall, "bad") == ["192.0.2.7", "198.51.100.0/24"]
    assert "sets:" not in wall.ok("export", "--no-sets")
    wall.ok("apply", "-", stdin=wall.ok("export", "--no-sets"))
    assert names(wall) == ["bad", "friends"]


def test_apply_with_a_set_that_goes_while_a_rule_names_it_changes_nothing(
    wall: Instance, tmp_path: Path
) -> None:
    wall.done("set", "create", "bad")
    wall.done("rule", "add", "drop", "from", "@bad")
    path = tmp_path / "office.yaml"
    path.write_text("version: 1\nsets: {other: {entries: [10.0.0.1]}}\nrules: [drop from @bad]\n")
    refused = wall.here("apply", str(path))
    assert refused.exit_code == 2
    assert "line 3: rule 1: src: no set is called 'bad'" in refused.stderr
    assert names(wall) == ["bad"]


def test_a_dry_run_says_what_sets_would_become(wall: Instance, tmp_path: Path) -> None:
    wall.done("set", "create", "bad")
    path = tmp_path / "office.yaml"
    path.write_text(
        "version: 1\nsets: {bad: {entries: [10.0.0.1]}, new: {entries: []}}\nrules: []\n"
    )
    planned = wall.json("apply", str(path), "--dry-run")
    assert (planned["sets_added"], planned["sets_replaced"]) == (["new"], ["bad"])
    assert names(wall) == ["bad"] and entries(wall, "bad") == []


def test_completion_knows_sets(wall: Instance) -> None:
    wall.done("set", "create", "bad")
    wall.done("set", "create", "best")
    for words, wanted in (
        ("xdpwall set add b", ["bad", "best"]),
        ("xdpwall set delete be", ["best"]),
        ("xdpwall rule add drop from @b", ["@bad", "@best"]),
    ):
        done = wall.run(
            env={
                "_XDPWALL_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
            }
        )
        assert [line.partition(",")[2] for line in done.stdout.splitlines()] == wanted


@pytest.mark.parametrize("command", [("set", "list"), ("set", "list", "bad")])
def test_json_is_what_the_api_answers(served: Instance, command: tuple[str, ...]) -> None:
    served.done("set", "create", "bad")
    served.done("set", "add", "bad", "10.0.0.0/8")
    assert served.service is not None
    path = "/sets" if len(command) == 2 else "/sets/bad"
    assert json.loads(served.ok(*command, "-j")) == served.service.call("GET", path).json


HTML = b"<html>\n<body>404 Not Found</body>\n</html>\n"


def test_a_list_of_nothing_empties_no_set(wall: Instance, tmp_path: Path) -> None:
    run = wall.here
    wall.done("set", "create", "bad")
    wall.done("set", "add", "bad", "10.0.0.1", "10.0.0.2")
    empty, page, short = (tmp_path / name for name in ("empty", "page", "short"))
    empty.write_bytes(b"# so\n\n")
    page.write_bytes(HTML)
    short.write_text("10.0.0.1\n")
    ruleset = tmp_path / "ruleset.yaml"
    ruleset.write_text("version: 1\nrules: []\nsets:\n  bad: {file: empty}\n")
    for words in (
        ("set", "load", "bad", str(empty)),
        ("set", "load", "bad", "-"),
        ("set", "load", "bad", str(page), "--skip-bad"),
        ("set", "load", "bad", str(short), "--most-shrink", "49"),
        ("apply", str(ruleset)),
        ("apply", str(ruleset), "--dry-run"),
        ("apply", str(ruleset), "--allow-empty", "--most-shrink", "50"),
    ):
        refused = run(*words, stdin="")
        assert refused.exit_code == 8, (words, refused.stderr)
        assert "hint: nothing was changed" in refused.stderr
        assert entries(wall, "bad") == ["10.0.0.1", "10.0.0.2"]
    assert run("set", "load", "bad", str(short), "--most-shrink", "50").exit_code == 0
    assert entries(wall, "bad") == ["10.0.0.1"]
    assert run("apply", str(ruleset), "--allow-empty").exit_code == 0
    assert entries(wall, "bad") == []
    told = run("set", "load", "bad", str(empty))
    assert told.exit_code == 0 and "the list holds no entry" in told.stderr
    short.write_text("0.0.0.0/0\n")
    assert (
        "warning: set bad: 0.0.0.0/0 is every IPv4" in run("set", "load", "bad", str(short)).stderr
    )
    ruleset.write_text("version: 1\nrules: []\nsets:\n  bad: {file: empty, allow_empty: true}\n")
    assert run("apply", str(ruleset)).exit_code == 0
    assert entries(wall, "bad") == []


def test_entries_come_from_standard_input_and_what_is_there_stays(wall: Instance) -> None:
    wall.done("set", "create", "bad")
    wall.done("set", "add", "bad", "192.0.2.9")
    listed = "# so\n10.0.0.1 ; one\n10.0.0.4-10.0.0.5\n2001:db8::/32\n"
    assert "3 added; 4 entries now" in wall.done("set", "add", "bad", "-", stdin=listed)
    assert entries(wall, "bad") == ["10.0.0.1", "192.0.2.9", "10.0.0.4/31", "2001:db8::/32"]
    assert "3 removed; 1 entry now" in wall.done("set", "remove", "bad", "-", stdin=listed)
    for text, words in (
        ("10.0.0.1\nfoo\n", "standard input: line 2: 'foo' is not an address"),
        ("", "standard input: no entry"),
        ("add x 10.0.0.1 timeout 60\n", "times of their own"),
    ):
        done = wall.here("set", "add", "bad", "-", stdin=text)
        assert done.exit_code == 2 and words in done.stderr, done.stderr
    assert entries(wall, "bad") == ["192.0.2.9"]


def test_errors_name_entries_as_people_count_them(wall: Instance) -> None:
    wall.done("set", "create", "bad")
    alone = wall.here("set", "add", "bad", "10.0.0.300")
    assert alone.stderr.startswith("error: entry: '10.0.0.300' has a number over 255")
    second = wall.here("set", "add", "bad", "10.0.0.1", "foo")
    assert second.stderr.startswith("error: entry 2: 'foo' is not an address")
    removed = wall.here("set", "remove", "bad", "10.0.0.1", "10.0.0.1,10.0.0.2")
    assert "error: entry 2: '10.0.0.1,10.0.0.2' is a list" in removed.stderr


@pytest.mark.parametrize(
    ("held", "removed", "said"),
    [
        (["10.0.0.0/24"], ["10.0.0.3"], {"10.0.0.3": "10.0.0.0/24"}),
        (["10.0.0.0/24", "10.0.0.3"], ["10.0.0.3"], {"10.0.0.3": "10.0.0.0/24"}),
        (["10.0.0.0/8", "10.0.0.0/24"], ["10.0.0.0/24"], {"10.0.0.0/24": "10.0.0.0/8"}),
        (["10.0.0.0/8", "10.1.0.0/16"], ["10.1.2.3"], {"10.1.2.3": "10.0.0.0/8, 10.1.0.0/16"}),
        (["2001:db8::/32"], ["2001:db8::1", "10.0.0.1"], {"2001:db8::1": "2001:db8::/32"}),
        (["10.0.0.0/24", "10.1.0.3"], ["10.1.0.3", "10.0.0.0/24"], {}),
    ],
)
def test_a_removed_address_that_is_still_covered_is_told(
    direct: Instance, held: list[str], removed: list[str], said: dict[str, str]
) -> None:
    direct.done("set", "create", "bad")
    direct.done("set", "add", "bad", *held)
    warnings = direct.json("set", "remove", "bad", *removed)["warnings"]
    assert [text.partition(": ")[0] for text in warnings] == [
        f"{entry} is still in bad, by {wider}" for entry, wider in said.items()
    ]
    for entry in said:
        if "/" not in entry:
            assert direct.here("set", "test", "bad", entry).exit_code == 0


def test_a_program_is_no_list(wall: Instance) -> None:
    done = wall.here("set", "load", "bad", sys.executable)
    assert done.exit_code == 2 and len(done.stderr) < 400
    assert "is a binary file" in done.stderr
