// The form's fields and the sentence that they make. Pure; no DOM.

/** Every field of a rule: its name in JSON, label, how to write it, and choices where they are few. */
export const FIELD_GROUPS = [
  ["What happens", [
    { name: "action", label: "Action", choices: [["drop"], ["accept"], ["count"]] },
    { name: "enabled", label: "In force", choices: [["true", "enabled"], ["false", "disabled"]] },
    { name: "expires", label: "Ends", example: "10m, 2h" },
    { name: "limit", label: "While within", example: "20/s burst 40" },
    { name: "over", label: "Beyond", example: "6/m burst 6 per src" },
    { name: "keep", label: "Flow", choices: [["false", "made by none"], ["true", "kept: answers are known"]] },
    { name: "cookie", label: "SYNs", choices: [["false", "pass to the listener"], ["true", "answered at XDP when it asks for it"]] },
    { name: "log", label: "Packets", choices: [["false", "counted"], ["true", "counted and reported"]] },
  ]],
  ["Where", [
    { name: "iface", label: "Interface", example: "docker0", list: "interfaces" },
    { name: "direction", label: "Direction", choices: [["", "in and out"], ["ingress", "in"], ["egress", "out"]] },
    { name: "vlan", label: "VLAN", example: "100, none" },
  ]],
  ["Who", [
    { name: "src", label: "From", example: "!10.0.0.0/8" },
    { name: "dst", label: "To", example: "192.0.2.1" },
    { name: "family", label: "IP version", choices: [["", "both"], ["ipv4", "IPv4"], ["ipv6", "IPv6"]] },
  ]],
  ["What", [
    { name: "proto", label: "Protocol", example: "tcp, 47", list: "protocols" },
    { name: "dport", label: "To port", example: "80,8000-8100" },
    { name: "sport", label: "From port", example: "53, !53" },
    { name: "icmp_type", label: "ICMP type", example: "echo-request" },
    { name: "icmp_code", label: "ICMP code", example: "0-255" },
    { name: "tcp_flags", label: "TCP flags", example: "syn/syn,ack" },
    { name: "length", label: "Length", example: "1000-1500" },
    { name: "ttl", label: "TTL", example: "0-5" },
    { name: "fragment", label: "Fragments", choices: [
      ["", "any"], ["true", "only fragments"], ["false", "no fragments"], ["first", "first ones"], ["later", "later ones"],
    ] },
    { name: "ethertype", label: "Ethertype", example: "0x88cc, arp" },
    { name: "state", label: "Flow state", example: "established,related" },
  ]],
  ["Note", [{ name: "comment", label: "Comment", example: "why this rule is here" }]],
];

export const FIELDS = FIELD_GROUPS.flatMap(([, fields]) => fields);
export const PROTOCOLS = ["tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp", "ah", "ipip"];
const WITH_PORT_AFTER_SLASH = ["tcp", "udp", "sctp"];
const FIRST_CLAUSES = [
  ["from", "src"], ["to", "dst"], ["sport", "sport"], ["dport", "dport"], ["on", "iface"],
];
const LATER_CLAUSES = [["vlan", "vlan"], ["flags", "tcp_flags"], ["length", "length"], ["ttl", "ttl"]];
const FRAGMENT_WORDS = { true: "fragment", false: "unfragmented", first: "fragment first", later: "fragment later" };

/** A field as text: a rate, which is an object in JSON, in the words of a sentence. */
export const fieldText = (value) =>
  value?.rate ? [value.rate, "burst", value.burst, ...(value.per ? ["per", value.per] : [])].join(" ") : String(value);

/** The form's values, all text, of a rule as JSON. */
export function fieldValues(rule) {
  const values = Object.fromEntries(FIELDS.map(({ name }) => [name, rule[name] === undefined ? "" : fieldText(rule[name])]));
  return { ...values, action: values.action || "drop", enabled: values.enabled || "true", log: values.log || "false", keep: values.keep || "false",
    cookie: values.cookie || "false" };
}

/** The sentence of the form's values, and where each field stands in it: {text, spans}. */
export function composeSentence(values) {
  const given = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, tidy(name, value)]));
  let text = given.action;
  const spans = { action: [0, text.length] };
  const put = (name, words, before = " ") => {
    if (!words) return;
    const start = text.length + before.length;
    text += before + words;
    spans[name] = [start, text.length];
  };
  const clause = (word, name) => given[name] && put(name, `${word} ${negated(given[name])}`);

  const { proto, dport, icmp_type: type, icmp_code: code } = given;
  put("proto", /^\d+$/.test(proto) ? `proto ${proto}` : quotedIfNeeded(proto));
  const slashed = WITH_PORT_AFTER_SLASH.includes(proto) && dport && !dport.startsWith("!");
  if (slashed) put("dport", quotedIfNeeded(dport), "/");
  // A type or code without its protocol is told by the service, in its words.
  if (type) put("icmp_type", quotedIfNeeded(type), "/");
  if (code) put("icmp_code", quotedIfNeeded(code), "/");
  put("family", given.family);
  for (const [word, name] of FIRST_CLAUSES) if (!(name === "dport" && slashed)) clause(word, name);
  put("direction", { ingress: "in", egress: "out" }[given.direction]);
  for (const [word, name] of LATER_CLAUSES) clause(word, name);
  put("fragment", FRAGMENT_WORDS[given.fragment]);
  clause("ethertype", "ethertype");
  clause("state", "state");
  for (const name of ["limit", "over"]) if (given[name]) put(name, `${name} ${rateWords(given[name])}`);
  if (given.keep === "true") put("keep", "keep");
  if (given.cookie === "true") put("cookie", "cookie");
  if (given.log === "true") put("log", "log");
  if (given.enabled === "false") put("enabled", "disabled");
  if (given.expires) put("expires", `${/^\d{4}-/.test(given.expires) ? "until" : "for"} ${quotedIfNeeded(given.expires)}`);
  if (given.comment) put("comment", `comment ${quote(given.comment)}`);
  return { text, spans };
}

/** The field at which a problem of the composed sentence stands. */
export function problemField(problem, spans) {
  if (!problem) return null;
  if (problem.field in spans) return problem.field;
  const at = problem.span?.[0];
  const found = Object.entries(spans).find(([, [from, to]]) => at >= from && at < to);
  return found?.[0] ?? null;
}

/** Spaces around; and "80, 443" is how people write a list. */
const tidy = (name, value) => (/port$|^state$/.test(name) ? value.replace(/\s+/g, "") : value.trim());
const quote = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
/** One word: what holds a space or a quote is quoted, and refused with the right place. */
const quotedIfNeeded = (text) => (/[\s"]/.test(text) ? quote(text) : text);
/** A rate is several words; anything else in its place is quoted, and refused with the right place. */
const rateWords = (text) => (/^[^\s"]+(\s+(burst|per)\s+[^\s"]+)*$/.test(text) ? text : quote(text));
const negated = (text) => (text.startsWith("!") ? `not ${quotedIfNeeded(text.slice(1).trim())}` : quotedIfNeeded(text));
