"""python -m scripts.keep_state: keep a state folder as this version writes it, for every version to come.

Run once for each release, as root. tests/firewall/test_old_states.py opens every one that is kept, by its
database and by its second copy, and holds it against what the version said of it that wrote it.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from tests.support.net.netns import Lab
from xdpwall import Firewall, Rule, Settings
from xdpwall.formats.ruleset_file import dump_ruleset, load_ruleset
from xdpwall.sets.entries import Entries
from xdpwall.values.author import Author
from xdpwall.version import __version__

KEPT = Path(__file__).parents[1] / "tests" / "firewall" / "states"
FAR = "2089-12-31T23:59:59Z"
"""An ending that no test lives to see."""
RULES = f"""
version: 1
policy: {{ingress: drop, egress: accept, non_ip: accept, neighbor_discovery: accept}}
rules:
- {{id: web, action: accept, proto: tcp, dport: "80,443,8000-8100", iface: veth0, direction: ingress}}
- {{id: ssh, action: accept, proto: tcp, dport: 22, src: "!10.0.0.0/8", comment: "ssh, but not from 10/8"}}
- {{id: syn, action: count, proto: tcp, tcp_flags: "syn/syn,ack", log: true}}
- {{id: ping, action: accept, proto: icmp, icmp_type: echo-request, limit: 20/s}}
- {{id: ping6, action: accept, proto: icmpv6, icmp_type: 128, icmp_code: 0, src: "2001:db8::/32"}}
- {{id: flood, action: drop, proto: udp, sport: "!53", over: "6/m burst 6 per src"}}
- {{id: vlan, action: count, vlan: 100, length: 64-1500, ttl: 1-5}}
- {{id: tagged, action: drop, vlan: "!none", ethertype: 0x88cc}}
- {{id: parts, action: drop, fragment: later, family: ipv4}}
- {{id: bad, action: drop, src: "@bad", dst: "198.51.100.0/24"}}
- {{id: good, action: accept, src: "@good", proto: sctp, dport: 7}}
- {{id: later, action: accept, proto: gre, expires: "{FAR}"}}
- {{id: asleep, action: drop, proto: 89, enabled: false, comment: "OSPF — ☠"}}
"""


def main() -> None:
    """Write VERSION.tar.xz and VERSION.json."""
    lab = Lab("keep-state")
    lab.clean()
    try:
        host = lab.namespace("host")
        host.ip("link add veth0 type veth peer name veth1")
        with tempfile.TemporaryDirectory() as folder, host.inside():
            settings = Settings(Path(folder, "state"), lab.bpffs / "keep", Path(folder, "socket"))
            told = make(settings)
            keep(settings.state_dir, told)
    finally:
        lab.clean()


def make(settings: Settings) -> dict[str, object]:
    """Make a state with something of everything; what this version says of it."""
    by = Author("keeper", "cli")
    with Firewall.open(settings, service=True) as firewall:
        for name in ("good", "bad", "unused"):
            firewall.create_set(name, by=by)
        firewall.replace_set("bad", Entries.of(["192.0.2.1", "198.51.100.0/24", "2001:db8::bad"]))
        firewall.change_set("good", add=["10.1.0.0/16", "10.2.0.1"])
        firewall.change_set("good", add=["10.3.0.1", "2001:db8:1::/48"], expires=FAR)
        firewall.change_set("good", remove=["10.2.0.1"])
        firewall.apply(load_ruleset(RULES, name="kept"), by=by)
        firewall.attach("veth0", by=by)
        firewall.attach("veth0", hook="tc", direction="egress", by=by)
        firewall.add_rules([Rule.parse("drop udp/9999")], by=by)
        firewall.add_rules([Rule.parse("accept esp")], by=by)
        firewall.move_rule("r2", 1, by=by)
        firewall.delete_rules(["r1"], by=by)
        firewall.block("203.0.113.7", by=by)
        firewall.rollback(by=by)
        firewall.block("203.0.113.8", by=by)
        firewall.add_token("scraper", "metrics", expires=FAR, sources=["127.0.0.0/8"], by=by)
        return what_it_says(firewall)


def what_it_says(firewall: Firewall) -> dict[str, object]:
    """The parts of a state that no version may lose, as plain values."""
    _, ruleset = firewall.ruleset(sets=True)
    return {
        "ruleset": dump_ruleset(ruleset),
        "history": [(one.revision, one.action) for one in firewall.history().revisions],
        "tokens": [(one.name, one.role, one.expires) for one in firewall.tokens().tokens],
        "audit": [one.action for one in firewall.audit_trail().entries],
    }


def keep(folder: Path, told: dict[str, object]) -> None:
    """Pack the files of a state folder, the database in one, and what is said of it."""
    KEPT.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "xdpwall.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with tarfile.open(KEPT / f"{__version__}.tar.xz", "w:xz") as archive:
        for path in sorted(folder.iterdir()):
            if path.suffix not in (".db-wal", ".db-shm") and not path.name.startswith("lock"):
                archive.add(path, path.name)
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    (KEPT / f"{__version__}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
