// Numbers, times and sentences as people read them.

import { serviceTime } from "./api.mjs";

/** A warning of the service without the calls that it names for programs. */
export const wordsForPeople = (words) => words.replace(/ \(REST: [^)]{0,200}\)/g, "");

/** 48112009 -> "48,112,009" */
export const exact = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

function scaled(value, units, base) {
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  // What rounds up to the next unit belongs to the next unit: 999,999 is 1.0M, not 1000k.
  if (unit < units.length - 1 && Math.round(value) >= base) {
    value /= base;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return value.toFixed(digits) + units[unit];
}

/** Packets a second: 240 -> "240", 91200 -> "91k"; null (not known yet) and 0 -> "". */
export function rateWords(perSecond) {
  if (!perSecond) return "";
  return perSecond < 0.95 ? "<1" : scaled(perSecond, ["", "k", "M", "G", "T"], 1000);
}

/** The same with its unit: 12400000 -> "12 Mpps". */
export function packetRateWords(perSecond) {
  const words = rateWords(perSecond) || "0";
  return words.replace(/([kMGT]?)$/, " $1pps");
}

/** Bytes a second as bits: 1500000 -> "12 Mbit/s". */
export const bitRateWords = (bytesPerSecond) =>
  scaled(bytesPerSecond * 8, [" bit/s", " kbit/s", " Mbit/s", " Gbit/s", " Tbit/s"], 1000);

/** Bytes in SI units: 1100000 -> "1.1 MB". */
export const sizeWords = (bytes) => scaled(bytes, [" B", " kB", " MB", " GB", " TB", " PB"], 1000);

/** "tc-ingress" -> "tc ingress" */
export const placeWords = (name) => name.replace("-", " ");

/** plural(1, "rule") -> "1 rule" */
export const plural = (n, word) => `${exact(n)} ${word}${n === 1 ? "" : "s"}`;

/** Seconds as a clock: 47 -> "0:47", 3725 -> "1:02:05". */
export function durationWords(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** How long ago a moment of the service's clock (in ms) was; "" for 0, which is never. */
export function agoWords(moment) {
  if (!moment) return "";
  const s = (serviceTime() - moment) / 1000;
  if (s < 2) return "now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 172_800) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

const formats = {};

/** In the reader's zone. A format takes 15 ms to make: not before the first paint, and once. */
function formatDate(at, style) {
  const key = JSON.stringify(style);
  formats[key] ??= new Intl.DateTimeFormat("en-GB", style);
  return formats[key].format(at);
}

/** An RFC 3339 time: "21 Nov 2026, 10:00:00". */
export function dateWords(text) {
  const at = Date.parse(text);
  return Number.isNaN(at) ? text : formatDate(at, { dateStyle: "medium", timeStyle: "medium" });
}

/** Seconds since 1970 as a time of day. */
export const timeOfDay = (seconds) => formatDate(seconds * 1000, { timeStyle: "medium" });

/** A sentence in three parts: its verdict, its match, and the comment (drawn quietly). */
export function splitSentence(text) {
  const space = text.indexOf(" ");
  if (space < 0) return { verdict: text, match: "", comment: "" };
  const quote = text.indexOf(' comment "');
  const end = quote < 0 ? text.length : quote;
  return {
    verdict: text.slice(0, space),
    match: text.slice(space, end),
    comment: quote < 0 ? "" : text.slice(quote),
  };
}

/** The policy in words: "accept", or "drop in, accept out" where they differ. */
export function policyWords(policy) {
  const ip =
    policy.ingress === policy.egress
      ? `${policy.ingress} in and out`
      : `${policy.ingress} in, ${policy.egress} out`;
  const more = [];
  if (policy.non_ip === "drop") more.push("drop non-IP");
  if (policy.neighbor_discovery === "judge") more.push("judge neighbour discovery");
  return [ip, ...more].join(", ");
}

/** "alice (uid 1000) by socket from 127.0.0.1" */
export function authorWords({ author, user, via, address }) {
  const who = user ? `${user} (${author})` : author;
  return [`${who} by ${via}`, address && `from ${address}`].filter(Boolean).join(" ");
}
