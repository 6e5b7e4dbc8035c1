// News without a jump: bars of fixed height announce what changed; nothing that a person looks at moves by itself.
const TYPES = [
  "request.opened", "request.joined", "request.vote", "request.vote_void", "request.stage", "request.approved",
  "request.denied", "request.expired", "request.withdrawn", "request.escalated",
  "grant.claimed", "grant.settled", "grant.void", "grant.revoked",
];
const ENDS = { "request.approved": "was approved", "request.denied": "was denied", "request.expired": "expired", "request.withdrawn": "was withdrawn" };

let fresh = null; // the newest list, not yet shown
let waiting = 0;
let source = null;

function bar(id, state, text) {
  const element = document.querySelector(id);
  if (!element) return;
  element.dataset.state = state;
  element.querySelector("[data-live-text]").textContent = text;
}

function quiet(state, text) {
  for (const id of ["#live-list", "#live-request"]) {
    if (document.querySelector(id)?.dataset.state !== "news") bar(id, state, text);
  }
}

const idsIn = (root) => [...root.querySelectorAll(".item")].map((item) => item.dataset.id);

function setCount(count) {
  for (const badge of document.querySelectorAll('[data-count="inbox"]')) {
    badge.textContent = count;
    badge.hidden = !count;
    badge.classList.toggle("count-hot", count > 0);
  }
}

async function look() {
  waiting = 0;
  if (!document.querySelector("#requests") && !document.querySelector('[data-count="inbox"]')) return;
  const answer = await fetch("/", { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const list = page.querySelector("#requests");
  if (!list) return;
  setCount(Number(page.querySelector('[data-count="inbox"]')?.textContent ?? 0));
  const shown = document.querySelector("#requests");
  if (!shown) return;
  const before = idsIn(shown), after = idsIn(list);
  for (const item of shown.querySelectorAll(".item")) {
    item.toggleAttribute("data-gone", !after.includes(item.dataset.id));
  }
  const added = after.filter((id) => !before.includes(id)).length;
  fresh = list;
  if (added) bar("#live-list", "news", added === 1 ? "1 new request" : `${added} new requests`);
  else if (after.length !== before.length) bar("#live-list", "news", "Some were decided");
}

function show() {
  const shown = document.querySelector("#requests");
  if (!fresh || !shown) return;
  shown.replaceWith(fresh);
  fresh = null;
  bar("#live-list", "on", "Live");
  window.htmx?.process(document.querySelector("#requests"));
  const open = document.querySelector("#request")?.dataset.id;
  for (const item of document.querySelectorAll(".item")) item.toggleAttribute("aria-current", false);
  document.querySelector(`.item[data-id="${CSS.escape(open ?? "")}"]`)?.setAttribute("aria-current", "true");
  document.dispatchEvent(new Event("consentry:fresh"));
  document.querySelector(".item")?.focus({ preventScroll: true });
}

function heard(event) {
  const data = JSON.parse(event.data);
  const open = document.querySelector("#live-request");
  if (open && data.request_id === open.dataset.request) {
    bar("#live-request", "news", `This request ${ENDS[event.type] ?? "changed"}`);
  }
  waiting ||= setTimeout(look, 150);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-live-show]")) show();
});
document.addEventListener("consentry:fresh", () => {
  if (source?.readyState === EventSource.OPEN) quiet("on", "Live");
});

// Browsers hold few connections to one server: a tab that nobody sees keeps none, and looks again when it is seen.
function listen() {
  if (source || !document.querySelector(".frame")) return;
  source = new EventSource("/v1/events");
  source.addEventListener("open", () => quiet("on", "Live"));
  source.addEventListener("error", () => quiet("off", "Not live: connecting again"));
  source.addEventListener("session.ended", () => {
    hush();
    quiet("off", "You are signed out: reload to sign in");
  });
  for (const type of TYPES) source.addEventListener(type, heard);
}

function hush() {
  source?.close();
  source = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") return hush();
  listen();
  waiting ||= setTimeout(look, 150);
});
window.addEventListener("pagehide", hush);
listen();
