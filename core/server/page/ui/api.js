// Asking the server: JSON, its problems, and server-sent events, with the token where there is one.

const TOKEN = "lograil-token";

/** What the server says is wrong: `message`, `status`, and `errors` with the names of parameters. */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `status ${status}`);
    this.status = status;
    this.errors = problem.errors ?? [];
  }
}

function headers() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

export function setToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

/** A path with parameters; those without a value are left out. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "" && value !== false) query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

async function ask(url, options) {
  const response = await fetch(url, { ...options, headers: headers() });
  if (response.ok) return response;
  let problem = {};
  try { problem = await response.json(); } catch { /* not every error has a body */ }
  throw new Problem(response.status, problem);
}

export async function get(path, parameters, signal) {
  return (await ask(address(path, parameters), { signal })).json();
}

export async function post(path, parameters) {
  return (await ask(address(path, parameters), { method: "POST" })).json();
}

/**
 * Listens to server-sent events until `signal` ends it. Read by fetch, not by EventSource, which sends no token.
 * `hear(name, data, id)` is called for every one.
 */
export async function listen(path, parameters, signal, hear) {
  const response = await ask(address(path, parameters), { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const message = { event: "message", data: "", id: "" };
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) message[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
      }
      if (message.data) hear(message.event, message.data, message.id);
    }
  }
}
