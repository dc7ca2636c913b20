// The form that asks for a token when there is none, or a wrong one.

import { enterToken } from "./connection.mjs";
import { html, useLayoutEffect, useRef, useState } from "./html.mjs";

const WHY = {
  wrong: "The service does not take this token.",
  code: "This address was used already, or is older than a minute: get another one.",
};

export function TokenForm({ why }) {
  const [token, setToken] = useState("");
  const input = useRef();
  useLayoutEffect(() => input.current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    if (token.trim()) enterToken(token);
  };
  const said = WHY[why];
  return html`<main class="token-form">
    <h1>xdpwall</h1>
    <form onSubmit=${submit}>
      <label for="token">Token</label>
      <input id="token" ref=${input} type="password" autocomplete="off" spellcheck=${false}
        value=${token} onInput=${(e) => setToken(e.target.value)}
        aria-invalid=${why === "wrong"} aria-describedby="token-help token-error" />
      <button class="primary" disabled=${!token.trim()}>Open</button>
      <p id="token-error" class="error" role="alert">
        ${said}
      </p>
    </form>
    <p id="token-help" class="quiet">
      Open the page by an address that this prints on its host, or enter a token (<code>xdpwall token</code>):
    </p>
    <pre>sudo xdpwall page</pre>
  </main>`;
}
