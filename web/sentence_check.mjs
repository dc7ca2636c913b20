// What the service makes of a sentence while it is typed, and what its last word may become.

import { api, Problem } from "./api.mjs";
import { connectionFailed } from "./connection.mjs";
import { useEffect, useRef, useState } from "./html.mjs";

const PAUSE_MS = 60;

/**
 * [judged, refuse]. `judged` is {of, rule, text, warnings} or {of, problem}, either with
 * {completions, word}; while `of` is not the text, the service has not spoken yet.
 */
export function useJudge(text, held) {
  const [judged, setJudged] = useState({});
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    if (held) return undefined;
    const timer = setTimeout(async () => {
      const next = await judge(text);
      if (next && latest.current === text) setJudged(next);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, held]);
  const refuse = (problem) => setJudged({ of: text, problem });
  return [judged.of === text ? judged : {}, refuse];
}

async function judge(text) {
  try {
    const { problem, ...found } = await api.parse(text);
    // To have typed nothing is no mistake.
    if (problem && text.trim()) found.problem = new Problem(200, problem);
    return { of: text, ...found };
  } catch (error) {
    connectionFailed(error);
    return null;
  }
}

/** Whether all that is wrong is that the sentence is still being typed: its end can be completed. */
export function unfinished({ of, problem, completions }) {
  return Boolean(problem?.span && completions?.length) && problem.span[1] >= of.trimEnd().length;
}
