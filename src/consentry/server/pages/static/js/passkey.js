// Passkeys: registering one, and having one sign a vote. The server makes every challenge and checks every answer; this
// only carries bytes between it and the browser.
const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

async function ask(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail);
  return found;
}

// Browsers bind passkeys to a host's name: at another address of this server they would refuse.
function require(origin) {
  if (!window.PublicKeyCredential) throw new Error("this browser does no passkeys here: use a current one, over HTTPS");
  if (location.origin !== origin) throw new Error(`passkeys work at ${origin}: open Consentry there and sign in`);
}

function named(error) {
  if (error.name === "NotAllowedError") return "nothing was signed: it was cancelled, took too long, or no passkey fits";
  if (error.name === "InvalidStateError") return "this device holds a passkey of yours for this site already";
  return error.message;
}

const known = (list) => (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

async function register(form) {
  require(form.dataset.origin);
  const held = form.dataset.held === undefined ? {} : { assertion: await confirm() };
  const { public_key: asked } = await ask("/v1/passkeys/registration", held);
  const made = await navigator.credentials.create({
    publicKey: {
      ...asked,
      challenge: toBytes(asked.challenge),
      user: { ...asked.user, id: toBytes(asked.user.id) },
      excludeCredentials: known(asked.excludeCredentials),
    },
  });
  await ask("/v1/passkeys", {
    name: form.elements.name.value,
    credential: {
      id: toText(made.rawId),
      client_data_json: toText(made.response.clientDataJSON),
      attestation_object: toText(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [],
    },
  });
  location.assign("/passkeys");
}

async function answer({ public_key: asked, origin }) {
  require(origin);
  const made = await navigator.credentials.get({
    publicKey: { ...asked, challenge: toBytes(asked.challenge), allowCredentials: known(asked.allowCredentials) },
  });
  return {
    credential_id: toText(made.rawId),
    authenticator_data: toText(made.response.authenticatorData),
    client_data_json: toText(made.response.clientDataJSON),
    signature: toText(made.response.signature),
  };
}

// A change to somebody's passkeys is signed with one that they have.
const confirm = async () => answer(await ask("/v1/passkeys/confirmation", {}));

async function remove(form) {
  require(form.dataset.origin);
  if (form.dataset.held !== undefined) form.elements.assertion.value = JSON.stringify(await confirm());
  form.submit();
}

async function sign(form) {
  const shown = form.elements.shown_digest.value;
  const asked = await ask(`/v1/requests/${form.dataset.passkey}/challenge`, { verdict: "approve", shown_digest: shown });
  form.elements.assertion.value = JSON.stringify(await answer(asked));
  const verdict = document.createElement("input");
  verdict.type = "hidden";
  verdict.name = "verdict";
  verdict.value = "approve";
  form.append(verdict);
  form.submit();
}

// Which form does what, and where it says how that went.
const ACTS = [
  ["form[data-passkey-new]", register, "[data-passkey-note]"],
  ["form[data-passkey-remove]", remove, "[data-remove-note]"],
  ["form[data-passkey]", sign, "[data-decide-note]"],
];

document.addEventListener("submit", async (event) => {
  const found = ACTS.find(([form]) => event.target.matches(form));
  if (event.defaultPrevented || !found) return;
  const [, act, place] = found;
  if (act === sign && event.submitter?.value !== "approve") return;
  event.preventDefault();
  const form = event.target;
  const note = document.querySelector(place);
  note.textContent = "Waiting for your passkey…";
  try {
    await act(form);
  } catch (error) {
    note.textContent = `That did not work: ${named(error)}.`;
    note.dataset.failed = "1";
    delete form.dataset.sent;
  }
});
