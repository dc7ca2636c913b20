// Checks a sentence by the service while it is typed, and asks how its last word may go on.

import { api, Problem } from "./api.mjs";
import { connectionFailed } from "./connection.mjs";
import { useEffect, useRef, useState } from "./html.mjs";

const DEBOUNCE_MS = 60;

/**
 * [check, showProblem]. `check` is {typed, rule, text, warnings} or {typed, problem}, either with
 * {completions, word}; `typed` is the text that was checked. Until the service has answered `check`
 * is empty. `showProblem` shows a problem that came when the sentence was sent.
 */
export function useSentenceCheck(text, offline) {
  const [check, setCheck] = useState({});
  const latestText = useRef(text);
  latestText.current = text;
  useEffect(() => {
    if (offline) return undefined;
    const timer = setTimeout(async () => {
      const next = await checkSentence(text);
      if (next && latestText.current === text) setCheck(next);
    }, DEBOUNCE_MS);
    return () => clearTimeout(timer);
  }, [text, offline]);
  const showProblem = (problem) => setCheck({ typed: text, problem });
  return [check.typed === text ? check : {}, showProblem];
}

async function checkSentence(text) {
  try {
    const { problem, ...found } = await api.parse(text);
    // To have typed nothing is no mistake.
    if (problem && text.trim()) found.problem = new Problem(200, problem);
    return { typed: text, ...found };
  } catch (error) {
    connectionFailed(error);
    return null;
  }
}

/** Whether all that is wrong is that the sentence is still being typed: its end can be completed. */
export function isUnfinished({ typed, problem, completions }) {
  return Boolean(problem?.span && completions?.length) && problem.span[1] >= typed.trimEnd().length;
}
