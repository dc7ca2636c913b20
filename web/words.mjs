// Which words may come next in a sentence: what completion offers. Pure; no DOM.
// The service judges sentences; this only saves typing, so it may be silent but never wrong.

const ACTIONS = [
  ["drop", "the packet ends here"],
  ["accept", "the packet passes, no later rule is asked"],
  ["count", "counted, then the next rule is asked"],
];
const PROTOCOLS = ["icmp", "tcp", "udp", "icmpv6", "sctp", "gre", "esp", "ah", "ipip"].map((p) => [p, "protocol"]);
const SERVICES = [
  ["tcp/22", "ssh"], ["tcp/80", "http"], ["tcp/443", "https"], ["udp/443", "quic"], ["udp/53", "dns"],
  ["tcp/53", "dns over tcp"], ["udp/123", "ntp"], ["tcp/25", "smtp"], ["tcp/23", "telnet"],
  ["udp/67-68", "dhcp"], ["tcp/3306", "mysql"], ["tcp/5432", "postgresql"], ["tcp/6379", "redis"],
  ["tcp/3389", "rdp"], ["udp/1900", "ssdp"], ["udp/11211", "memcached"], ["udp/389", "cldap"],
  ["udp/161", "snmp"], ["udp/51820", "wireguard"], ["tcp/6443", "kubernetes"],
];
const TYPES = {
  icmp: ["echo-request", "echo-reply", "destination-unreachable", "redirect", "time-exceeded", "timestamp-request"],
  icmpv6: [
    "echo-request", "echo-reply", "packet-too-big", "neighbor-solicitation", "neighbor-advertisement",
    "router-solicitation", "router-advertisement", "redirect",
  ],
};
const PORTS = ["tcp", "udp", "sctp"];

/** Clause words: what each is about, and what may stand after it. */
const CLAUSES = {
  on: ["the interface", "interfaces"],
  from: ["source address or network", ["not"]],
  to: ["destination address or network", ["not"]],
  in: ["what comes in"],
  out: ["what goes out"],
  sport: ["source ports", ["not"]],
  dport: ["destination ports", ["not"]],
  ipv4: ["only IPv4"],
  ipv6: ["only IPv6"],
  flags: ["TCP flags, WANT/MASK", ["syn/syn,ack", "syn,fin/syn,fin", "rst/rst", "none/fin,syn,rst,psh,ack,urg"]],
  vlan: ["the VLAN id", ["none", "not"]],
  length: ["the IP packet’s length, like 1000-1500", []],
  ttl: ["TTL or hop limit, like 0-5", []],
  fragment: ["fragments"],
  unfragmented: ["no fragments"],
  ethertype: ["arp, any or a number", ["arp", "any", "0x88cc"]],
  for: ["ends by itself after", ["10m", "1h", "24h", "7d"]],
  until: ["ends by itself at a time", []],
  disabled: ["kept, not applied"],
  comment: ["a note in quotes", []],
};
/** Words of which a rule has one at most. */
const ONCE = [["in", "out"], ["ipv4", "ipv6"], ["fragment", "unfragmented"], ["for", "until"]];
const IP_ONLY = ["from", "to", "sport", "dport", "ipv4", "ipv6", "flags", "length", "ttl", "fragment", "unfragmented"];
const MOST = 8;

/**
 * What may stand at the end of `text`: {from, options: [{word, note}]}; `from` is where the word
 * under way begins. `interfaces` are those of GET /interfaces.
 */
export function complete(text, interfaces) {
  const from = text.search(/\S*$/);
  const begun = text.slice(from);
  const before = text.slice(0, from).match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  if ((text.match(/(?<!\\)"/g)?.length ?? 0) % 2) return { from, options: [] };
  const all = candidates(before, begun, interfaces);
  const fits = all.filter(([word, note]) => word !== begun && (word.startsWith(begun) || (begun && isService(word, note, begun))));
  // A finished word that is itself on offer needs no help.
  const done = all.some(([word]) => word === begun) && !fits.some(([word]) => word.startsWith(`${begun}/`));
  return { from, options: done ? [] : fits.slice(0, MOST).map(([word, note = ""]) => ({ word, note })) };
}

const isService = (word, note, begun) => word.includes("/") && note.startsWith(begun);

function candidates(before, begun, interfaces) {
  if (before.length === 0) return ACTIONS;
  const { open, used, negated } = walk(before);
  if (open) return values(open, negated, interfaces);
  const clauses = clausesLeft(used, before[1]);
  if (before.length > 1) return clauses;
  const [name, slash] = begun.split(/(\/)/);
  if (slash && TYPES[name]) return TYPES[name].map((type) => [`${name}/${type}`, "type"]);
  return [...PROTOCOLS, ...clauses, ...(begun ? SERVICES : [])];
}

/** The clause that waits for its value, and the clauses there are. */
function walk(before) {
  let [open, negated] = [null, false];
  const used = new Set();
  for (const word of before.slice(1)) {
    if (open && word === "not" && CLAUSES[open][1] !== null && !negated) negated = true;
    else if (open) [open, negated] = [null, false];
    else if (CLAUSES[word]) {
      used.add(word);
      if (CLAUSES[word][1]) open = word;
    }
  }
  return { open, used, negated };
}

function values(clause, negated, interfaces) {
  const known = CLAUSES[clause][1];
  if (known === "interfaces") {
    const names = interfaces.map((i) => [i.name, [i.kind ?? i.driver, i.state].filter(Boolean).join(", ")]);
    return negated ? names : [...names, ["not", "every other interface"]];
  }
  return known.filter((word) => !(negated && word === "not")).map((word) => [word, word === "not" ? "all but" : ""]);
}

function clausesLeft(used, first = "") {
  const closed = new Set(used);
  for (const group of ONCE) if (group.some((word) => used.has(word))) group.forEach((word) => closed.add(word));
  const proto = first.split("/")[0];
  if (!PORTS.includes(proto)) ["sport", "dport"].forEach((word) => closed.add(word));
  if (first.includes("/")) closed.add("dport");
  if (proto !== "tcp") closed.add("flags");
  if (used.has("ethertype")) IP_ONLY.forEach((word) => closed.add(word));
  return Object.entries(CLAUSES).filter(([word]) => !closed.has(word)).map(([word, [note]]) => [word, note]);
}
