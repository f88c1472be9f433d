// Answers `<form data-passkey="get|create" data-options="…" hidden>` in its field `response`.

const all = (selector) => document.querySelectorAll(selector);

// For older browsers.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt());
const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const parse = (options) =>
  JSON.parse(options, function (name, value) {
    const encoded = { challenge: 1, id: this.type || this.displayName };
    return encoded[name] ? bytes(value) : value;
  });
function json({ id, type, response }) {
  const sent = {};
  for (const name in response)
    if (response[name] instanceof ArrayBuffer) sent[name] = text(response[name]);
  return { id, rawId: id, type, response: sent };
}

let can; // what the browser is able to
let offered; // No other request is taken before it has ended.
async function stop() {
  offered?.abort();
  await offered?.end;
}

async function ask(form, more) {
  const { passkey, options } = form.dataset;
  const parser = `parse${passkey === "get" ? "Request" : "Creation"}OptionsFromJSON`;
  const publicKey = PublicKeyCredential[parser]?.(JSON.parse(options)) ?? parse(options);
  const made = await navigator.credentials[passkey]({ publicKey, ...more });
  form.elements.response.value = JSON.stringify(made.toJSON?.() ?? json(made));
  for (const copy of form.querySelectorAll("[data-from]"))
    copy.disabled = !document.getElementById(copy.dataset.from).checked;
  form.submit();
}

// Without a click.
async function offer(form) {
  if (!can?.[form.dataset.conditional]) return;
  await stop();
  offered = new AbortController();
  offered.end = ask(form, { mediation: "conditional", signal: offered.signal }).catch(() => {});
}

async function renew(form) {
  if (form.ariaBusy) return;
  form.dataset.options = await (await fetch(form.dataset.renew)).text();
  offer(form);
}

async function answer(event) {
  event.preventDefault();
  const form = event.target;
  if (form.ariaBusy) return;
  const alert = form.querySelector("[role=alert]");
  form.ariaBusy = "true";
  alert.textContent = "";
  await stop();
  try {
    await ask(form);
  } catch ({ name }) {
    alert.textContent = form.dataset[name === "InvalidStateError" ? "exists" : "failed"];
    form.ariaBusy = null;
    offer(form);
  }
}

// The page is drawn after it.
async function start() {
  const forms = all("form[data-passkey]");
  for (const form of forms) form.addEventListener("submit", answer);
  for (const part of all("[data-passkey]")) part.hidden = !part.hidden;
  can = await PublicKeyCredential.getClientCapabilities?.();
  for (const { dataset } of all("[data-signal]"))
    await PublicKeyCredential[dataset.signal]?.(JSON.parse(dataset.about)).catch(() => {});
  for (const form of forms) {
    offer(form);
    if (form.dataset.renew) setInterval(renew, 4 * 60000, form);
  }
  for (const field of all("[data-platform]")) field.value = !!can?.userVerifyingPlatformAuthenticator;
}

if (window.PublicKeyCredential) start();
