// The last reported packets, newest first. Apart from the store: they come ten times a
// second, and only the list of events is drawn for them.

const MAX_PACKETS = 500;
const DRAW_MS = 250;

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
    packet.packets > 1 && `${packet.packets} in one`,
    packet.malformed && "malformed",
  ];
  const first = kind ?? (packet.ethertype ? `ethertype ${packet.ethertype}` : "not IP");
  return [first, from, ">", to, ...more].filter(Boolean).join(" ");
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
