// Shortcuts for moving about. INVARIANT: none of them decides anything; that takes the button (threat D8).
const PLACES = { i: "/", h: "/history", a: "/grants" };
let prefix = "";

const items = () => [...document.querySelectorAll(".item")];

function move(step) {
  const all = items();
  if (!all.length) return;
  const focused = all.indexOf(document.activeElement);
  const open = all.findIndex((item) => item.hasAttribute("aria-current"));
  const from = focused >= 0 ? focused : open;
  const to = from < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(from + step, 0), all.length - 1);
  all[to].focus();
}

function back() {
  const current = items().find((item) => item.hasAttribute("aria-current"));
  if (current && current.offsetParent) current.focus();
  else document.querySelector(".back")?.click();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  u: back,
  r: () => document.querySelector("[data-reason]")?.focus(),
  n: () => document.querySelector('#live-list[data-state="news"] [data-live-show]')?.click(),
  "?": () => document.querySelector("#help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key)) return;
  if (event.target.closest("input, textarea, select, dialog[open]")) {
    if (event.key === "Escape" && !event.target.closest("dialog[open]")) event.target.blur();
    return;
  }
  if (prefix === "g" && PLACES[event.key]) {
    prefix = "";
    location.assign(PLACES[event.key]);
    return;
  }
  prefix = event.key === "g" ? "g" : "";
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
