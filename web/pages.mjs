// Pages of a list that the service has newest first: the latest, read anew when it changes, and older ones.

import { connectionFailed } from "./connection.mjs";
import { useEffect, useRef, useState } from "./html.mjs";
import { showError } from "./store.mjs";

const PAGE = 20;
const MOST = 1000; // of one answer

/** Ask for what is only shown; undefined after a problem, which is told. */
export async function askToShow(question) {
  try {
    return await question();
  } catch (error) {
    if (!connectionFailed(error)) showError(error);
    return undefined;
  }
}

/**
 * [answer, loadOlder]. `ask({limit, before})` answers with a list `name`, of which `idOf` is what `before` takes; it
 * is asked again when one of `inputs` is another one. `answer` is null until then, and holds all pages in one list.
 */
export function usePages({ ask, name, idOf }, inputs, offline) {
  const [answer, setAnswer] = useState(null);
  const asked = useRef(0);
  const shown = answer?.[name] ?? [];
  const load = async (before) => {
    const number = (asked.current += 1);
    const limit = before === undefined ? Math.min(MOST, Math.max(PAGE, shown.length)) : PAGE;
    const found = await askToShow(() => ask({ limit, before }));
    if (!found || number !== asked.current) return;
    setAnswer({ ...found, [name]: before === undefined ? found[name] : [...shown, ...found[name]] });
  };
  useEffect(() => { if (!offline) load(); }, [...inputs, offline]);
  return [answer, () => load(idOf(shown.at(-1)))];
}
