// The form that asks for a token when there is none, or a wrong one.

import { enterToken } from "./connection.mjs";
import { html, useLayoutEffect, useRef, useState } from "./html.mjs";

export function TokenForm({ why }) {
  const [token, setToken] = useState("");
  const input = useRef();
  useLayoutEffect(() => input.current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    if (token.trim()) enterToken(token);
  };
  const wrong = why === "wrong";
  return html`<main class="token-form">
    <h1>xdpwall</h1>
    <form onSubmit=${submit}>
      <label for="token">Token</label>
      <input id="token" ref=${input} type="password" autocomplete="off" spellcheck=${false}
        value=${token} onInput=${(e) => setToken(e.target.value)}
        aria-invalid=${wrong} aria-describedby="token-help token-error" />
      <button class="primary" disabled=${!token.trim()}>Open</button>
      <p id="token-error" class="error" role="alert">
        ${wrong && "The service does not take this token."}
      </p>
    </form>
    <p id="token-help" class="quiet">
      <code>xdpwall serve</code> prints this page's address with the token in it. The token is also in
      the file <code>token</code> of the state folder:
    </p>
    <pre>sudo cat /var/lib/xdpwall/token</pre>
  </main>`;
}
