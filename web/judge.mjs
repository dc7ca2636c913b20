// What the service makes of a sentence while it is typed.

import { api, Problem } from "./api.mjs";
import { useEffect, useRef, useState } from "./html.mjs";
import { connectionFailed } from "./live.mjs";

const PAUSE_MS = 120;

/** {rule, text} or {problem} once `text` has been judged, else {}; and the way to set it. */
export function useJudge(text, held) {
  const [verdict, setVerdict] = useState({});
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    if (!text.trim() || held) return undefined;
    const timer = setTimeout(async () => {
      const next = await judge(text);
      if (next && latest.current === text) setVerdict(next);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, held]);
  const current = verdict.of === text && text.trim() ? verdict : {};
  return [current, (problem) => setVerdict({ of: text, problem })];
}

async function judge(text) {
  try {
    const { rule, text: canonical, problem } = await api.parse(text);
    return { of: text, ...(problem ? { problem: new Problem(422, problem) } : { rule, text: canonical }) };
  } catch (error) {
    if (error instanceof Problem && error.status === 422) return { of: text, problem: error };
    connectionFailed(error);
    return null;
  }
}
