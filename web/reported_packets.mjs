// The last reported packets, newest first. Apart from the store: they come ten times a
// second, and only the list of events is drawn for them.

const MAX_PACKETS = 500;
const DRAW_MS = 250;
const HEADER_BYTES = 14; // of Ethernet: less is no frame

let packets = [];
let lastNumber = 0; // the number of the newest; they are counted up by one run of the service
let missedCount = 0;
let drawTimer = 0;
const listeners = new Set();

export const latestPackets = () => ({ packets, missed: missedCount });

/** Call `listener` a few times a second while there is news; returns the way to stop it. */
export function onPackets(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Empty the list because a stream begins: what was reported before comes with it. */
export function forgetPackets() {
  lastNumber = 0;
  clearPackets();
}

/** Empty the list; what comes later is listed. */
export function clearPackets() {
  packets = [];
  missedCount = 0;
  scheduleDraw();
}

/** Add a batch, {events, missed}; some of it may be known. */
export function addPackets(batch) {
  const fresh = batch.events.filter((packet) => packet.n > lastNumber);
  missedCount += batch.missed;
  if (!fresh.length) return;
  lastNumber = fresh[fresh.length - 1].n;
  packets = [...fresh.reverse(), ...packets].slice(0, MAX_PACKETS);
  scheduleDraw();
}

function scheduleDraw() {
  drawTimer ||= setTimeout(() => {
    drawTimer = 0;
    for (const listener of listeners) listener();
  }, DRAW_MS);
}

const endpoint = (address, port) =>
  port === undefined ? address : `${address.includes(":") ? `[${address}]` : address}:${port}`;

/** "tcp 192.0.2.1:5555 > 198.51.100.2:22 syn", or what there is of it. */
export function packetWords(packet) {
  const proto = typeof packet.proto === "number" ? `proto ${packet.proto}` : (packet.proto ?? packet.family);
  const kind = packet.icmp_type === undefined ? proto : `${proto}/${packet.icmp_type}`;
  const [from, to] = packet.src
    ? [endpoint(packet.src, packet.sport), endpoint(packet.dst, packet.dport)]
    : [packet.src_mac ?? "?", packet.dst_mac ?? "?"];
  const more = [
    packet.tcp_flags,
    packet.vlan !== undefined && `vlan ${packet.vlan}`,
    packet.fragment && `fragment ${packet.fragment}`,
    packet.state && `state ${packet.state}`,
    packet.packets > 1 && `${packet.packets} in one`,
    packet.answered && "answered",
    packet.malformed && "malformed",
  ];
  const first = kind ?? (packet.ethertype ? `ethertype ${packet.ethertype}` : "not IP");
  return [first, from, ">", to, ...more].filter(Boolean).join(" ");
}

/** The packet as a question, {text, frame?, about}: its bytes where they are all that there was to judge. */
export function packetQuestion(packet) {
  const { data = "", bytes, iface, direction, time, vlan, stripped } = packet;
  // A tag that stood beside the frame can only be told in words.
  const whole = data.length >= 2 * HEADER_BYTES && !(stripped && vlan !== undefined);
  const about = `the packet of ${new Date(time).toLocaleTimeString("en-GB")}: ${packetWords(packet)}`;
  return { text: questionWords(packet), about, ...(whole && { frame: { data, length: bytes, iface, direction } }) };
}

/** "tcp/22 from 192.0.2.1 sport 5555 to 198.51.100.2 on eth1 in flags syn", as `explain` takes it. */
function questionWords(packet) {
  const { proto, src, dst, sport, dport, icmp_type: type, icmp_code: code, direction } = packet;
  const name = typeof proto === "number" ? `proto ${proto}` : (proto ?? "");
  const suffix = [dport, type, type === undefined ? undefined : code].filter((part) => part !== undefined);
  const clauses = [
    ["from", src], ["sport", sport], ["to", dst], ["on", packet.iface], [direction === "egress" ? "out" : "in"],
    ["vlan", packet.vlan], ["flags", packet.tcp_flags], ["ttl", packet.ttl], ["fragment", packet.fragment],
  ];
  const first = packet.family ? [name, ...suffix].join("/") : `ethertype ${packet.ethertype ?? "0x88b5"}`;
  return [first, ...clauses.filter((clause) => clause.at(-1) !== undefined).map((clause) => clause.join(" "))].join(" ");
}

/** The sentence of a rule that would block this packet: its sender, or its kind where it has no address. */
export function blockingSentence(packet) {
  const what = packet.src ? `from ${packet.src}` : `ethertype ${packet.ethertype ?? "any"}`;
  return `drop ${what} on ${packet.iface}`;
}

/** The packets of `list` in which each word of `text` stands somewhere. */
export function matchingPackets(list, text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return list;
  return list.filter((packet) => {
    const searched = `${packet.verdict} ${packet.iface} ${packet.place} ${packet.rule ?? "policy"} ${packet.log ?? ""} ${packetWords(packet)}`;
    return wanted.every((word) => searched.toLowerCase().includes(word));
  });
}
