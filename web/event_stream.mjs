// Server-sent events read by fetch, since EventSource cannot send the token.

import { BASE, bearer, noteClock, problemOf, Unreachable } from "./api.mjs";

const FIRST_MS = 8000; // for the answer to begin
const SILENCE_MS = 6000; // counters come each second: silence is a lost connection

/** Events one by one as {id, name, data}, until the service ends the stream. Errors as in api.mjs. */
export async function* follow(lastId, signal) {
  const watch = new AbortController();
  signal.addEventListener("abort", () => watch.abort());
  let timer = setTimeout(() => watch.abort(), FIRST_MS);
  try {
    const headers = { ...bearer(), ...(lastId && { "Last-Event-ID": lastId }) };
    const response = await fetch(`${BASE}/events`, { headers, cache: "no-store", signal: watch.signal });
    if (!response.ok) throw await problemOf(response);
    noteClock(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let pieces = []; // of the event under way: the first one comes in hundreds
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => watch.abort(), SILENCE_MS);
      const { value, done } = await reader.read();
      if (done) return;
      pieces.push(value);
      if (!value.includes("\n")) continue;
      const blocks = pieces.join("").split("\n\n");
      pieces = [blocks.pop()];
      for (const block of blocks) {
        const event = read(block);
        if (event) yield event;
      }
    }
  } catch (error) {
    if (error instanceof TypeError || error.name === "AbortError") throw new Unreachable("no answer");
    throw error;
  } finally {
    clearTimeout(timer);
    watch.abort();
  }
}

/** One block of lines; null for a comment. */
function read(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return event.event ? { id: event.id, name: event.event, data: JSON.parse(event.data) } : null;
}
