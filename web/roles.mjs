// What whoever opened the page may do: the service refuses the rest, and the page does not offer it.

import { connected, state } from "./store.mjs";

const ROLES = ["metrics", "read", "operator", "admin"]; // each covers those before it

/** Whether the role covers `needed`; so as long as it is not known. */
export const may = (needed) => !state.session || ROLES.indexOf(state.session.role) >= ROLES.indexOf(needed);

/** Whether rules, sets, blocks and policy can be changed now. */
export const canChange = () => connected() && may("operator");
