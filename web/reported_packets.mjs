// The last packets that were reported, newest first. Apart from the store: they come ten times a
// second, and only the list of events is drawn for them.

const MOST = 500;
const DRAW_MS = 250;

let packets = [];
let last = 0; // the number of the newest; they are counted up by one run of the service
let missed = 0;
let drawing = 0;
const listeners = new Set();

export const latest = () => ({ packets, missed });

/** Call `listener` a few times a second while there is news; returns the way to stop it. */
export function onPackets(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A stream begins anew: what was reported before comes with it. */
export function forget() {
  last = 0;
  clear();
}

/** Empty the list; what comes later is listed. */
export function clear() {
  packets = [];
  missed = 0;
  tell();
}

/** One batch; some of it may be known. */
export function take(batch) {
  const fresh = batch.events.filter((one) => one.n > last);
  missed += batch.missed;
  if (!fresh.length) return;
  last = fresh[fresh.length - 1].n;
  packets = [...fresh.reverse(), ...packets].slice(0, MOST);
  tell();
}

function tell() {
  drawing ||= setTimeout(() => {
    drawing = 0;
    for (const listener of listeners) listener();
  }, DRAW_MS);
}

const end = (address, port) =>
  port === undefined ? address : `${address.includes(":") ? `[${address}]` : address}:${port}`;

/** "tcp 192.0.2.1:5555 > 198.51.100.2:22 syn", or what there is of it. */
export function words(one) {
  const proto = typeof one.proto === "number" ? `proto ${one.proto}` : (one.proto ?? one.family);
  const kind = one.icmp_type === undefined ? proto : `${proto}/${one.icmp_type}`;
  const [from, to] = one.src
    ? [end(one.src, one.sport), end(one.dst, one.dport)]
    : [one.src_mac ?? "?", one.dst_mac ?? "?"];
  const more = [
    one.tcp_flags,
    one.vlan !== undefined && `vlan ${one.vlan}`,
    one.fragment && `fragment ${one.fragment}`,
    one.packets > 1 && `${one.packets} in one`,
    one.malformed && "malformed",
  ];
  const first = kind ?? (one.ethertype ? `ethertype ${one.ethertype}` : "not IP");
  return [first, from, ">", to, ...more].filter(Boolean).join(" ");
}

/** The rule that would block this: its sender, or its kind where it has no address. */
export function blocking(one) {
  const what = one.src ? `from ${one.src}` : `ethertype ${one.ethertype ?? "any"}`;
  return `drop ${what} on ${one.iface}`;
}

/** Those in which each word of `text` stands somewhere. */
export function matching(list, text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return list;
  return list.filter((one) => {
    const all = `${one.verdict} ${one.iface} ${one.place} ${one.rule ?? "policy"} ${one.log ?? ""} ${words(one)}`;
    return wanted.every((word) => all.toLowerCase().includes(word));
  });
}
