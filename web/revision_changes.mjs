// Puts an older revision in force again, after it has shown what that changes.

import { api } from "./api.mjs";
import { awaitOwnRevision } from "./apply_event.mjs";
import { askHow } from "./ask.mjs";
import { runChange } from "./connection.mjs";
import { plural } from "./format.mjs";
import { guardedChange } from "./guard.mjs";
import { diffWords } from "./ruleset_diff.mjs";
import { showResult } from "./store.mjs";

const MAX_LINES = 12; // of what changes, in the question

/** Ask, and roll back; sets that are gone are made again, empty, only when that is agreed to. */
export async function rollBack(revision, { emptied = false } = {}) {
  const body = { revision, ...(emptied && { allow_empty: true }) };
  const isSetGone = (error) => error.code === "set-gone" && !emptied;
  try {
    const plan = await runChange(() => api.rollback(body, { dry_run: true }), isSetGone);
    const how = plan && await askToRollBack(revision, plan);
    const done = how && await guardedChange(async (chosen) => awaitOwnRevision(await api.rollback(body, chosen)), { how });
    if (done) showRolledBack(revision, done);
  } catch (error) {
    const agreed = await askHow({
      title: "Make the missing sets again, empty?",
      text: `${error.message}. A rule about addresses that are not in an empty set is about every address.`,
      label: "Make them, empty",
      trial: false, // it is asked for the rollback itself
    });
    if (agreed) await rollBack(revision, { emptied: true });
  }
}

function askToRollBack(revision, { diff, warnings = [] }) {
  const changes = diffWords(diff ?? {});
  const lines = [...changes.slice(0, MAX_LINES), ...(changes.length > MAX_LINES ? [`and ${plural(changes.length - MAX_LINES, "change")} more`] : [])];
  return askHow({
    title: `Roll back to revision ${revision}?`,
    text: [lines.length ? "It changes what is in force:" : "It is what is in force: nothing changes.", ...warnings].join(" "),
    lines,
    label: "Roll back",
  });
}

function showRolledBack(revision, { revision: now, changed, pending, warnings }) {
  if (!changed) showResult(`Revision ${revision} is in force already.`, warnings);
  else showResult(`Revision ${revision} is in force again, as revision ${now}${pending ? ", until you confirm or its time is over" : ""}.`, warnings);
}
