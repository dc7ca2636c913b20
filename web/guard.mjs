// Changes that the service refuses because they would cut somebody off: says whom, and asks how to go on.

import { askHow } from "./ask.mjs";
import { runChange } from "./connection.mjs";

const GUARDS = ["own-address"];
const isHeldBack = (error) => GUARDS.includes(error.code);

/**
 * Run a change as runChange does: `send(how)` is asked with {confirm} or {force} where the guard refuses it and
 * that was chosen. `trial`: whether it can wait for a confirmation.
 */
export async function guardedChange(send, { how = {}, trial = true, callerHandles = () => false } = {}) {
  try {
    return await runChange(() => send(how), (error) => isHeldBack(error) || callerHandles(error));
  } catch (error) {
    if (!isHeldBack(error)) throw error;
    const chosen = await askHow({
      title: "This would cut you off",
      text: error.message,
      label: "Do it all the same",
      atOnce: { force: true },
      trial,
    });
    return chosen && guardedChange(send, { how: { ...how, ...chosen }, trial, callerHandles });
  }
}
