// Reads server-sent events by fetch, since EventSource cannot send the token.

import { authHeader, BASE, noteServiceClock, problemFrom, Unreachable } from "./api.mjs";

const ANSWER_MS = 8000; // for the answer to begin
const SILENCE_MS = 6000; // counters come each second: silence is a lost connection

/** Events one by one as {id, name, data}, until the service ends the stream. Errors as in api.mjs. */
export async function* streamEvents(lastEventId, signal) {
  const controller = new AbortController();
  signal.addEventListener("abort", () => controller.abort());
  let timer = setTimeout(() => controller.abort(), ANSWER_MS);
  try {
    const headers = { ...authHeader(), ...(lastEventId && { "Last-Event-ID": lastEventId }) };
    const response = await fetch(`${BASE}/events`, { headers, cache: "no-store", signal: controller.signal });
    if (!response.ok) throw await problemFrom(response);
    noteServiceClock(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let pieces = []; // of the event under way: the first one comes in hundreds
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), SILENCE_MS);
      const { value, done } = await reader.read();
      if (done) return;
      pieces.push(value);
      if (!value.includes("\n")) continue;
      const blocks = pieces.join("").split("\n\n");
      pieces = [blocks.pop()];
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event) yield event;
      }
    }
  } catch (error) {
    if (error instanceof TypeError || error.name === "AbortError") throw new Unreachable("no answer");
    throw error;
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

/** One block of lines; null for a comment. */
function parseEvent(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return event.event ? { id: event.id, name: event.event, data: JSON.parse(event.data) } : null;
}
