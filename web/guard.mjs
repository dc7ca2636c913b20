// Changes that the service refuses because they would cut somebody off: says whom, and asks how to go on.

import { askHow } from "./ask.mjs";
import { runChange } from "./connection.mjs";

const GUARDED = ["lock-out", "own-address"]; // the latter of a block
const isLockOut = (error) => GUARDED.includes(error.code);

/**
 * Run a change as runChange does: `send(how)` is asked with {}, and where the guard refuses that, with {confirm}
 * or {force} as was chosen; undefined when nothing was. Answers of `callerHandles(error)` are thrown.
 */
export async function guardedChange(send, { how = {}, callerHandles = () => false } = {}) {
  try {
    return await runChange(() => send(how), (error) => isLockOut(error) || callerHandles(error));
  } catch (error) {
    if (!isLockOut(error)) throw error;
    const chosen = await askWhetherToCut(error);
    return chosen ? guardedChange(send, { how: { ...how, ...chosen }, callerHandles }) : undefined;
  }
}

/** The warnings of an answer that tell of connections that the change cuts. */
export const cutWarnings = ({ warnings = [] }) => warnings.filter((words) => /\bcuts\b/.test(words));

/** The question in the service's words, with the connections one by one where there are several. */
function askWhetherToCut({ message, lockOut }) {
  const { connections = [], count = 0, passed_by: ways = ["force"] } = lockOut ?? {};
  const own = !lockOut || connections.some(({ whose }) => whose === "own");
  const rest = count - connections.length;
  const lines = connections.map(({ words, iface }) => `${words} on ${iface}`);
  return askHow({
    title: own ? "This would cut you off" : "This would cut off who is logged in",
    text: `${message[0].toUpperCase()}${message.slice(1)}.`,
    lines: count > 1 ? [...lines, ...(rest > 0 ? [`and ${rest} more`] : [])] : [],
    label: "Do it all the same",
    atOnce: { force: true },
    trial: ways.includes("confirm"),
  });
}
