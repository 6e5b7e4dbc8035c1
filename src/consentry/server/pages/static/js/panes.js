// List and detail side by side: marks what is open, moves focus to it, and holds the theme switch and the help.
const THEMES = ["system", "light", "dark"];
const root = document.documentElement;

function showTheme(theme) {
  if (theme === "system") root.removeAttribute("data-theme");
  else root.setAttribute("data-theme", theme);
  for (const name of document.querySelectorAll("[data-theme-name]")) {
    name.textContent = theme[0].toUpperCase() + theme.slice(1);
  }
}

function mark(id) {
  for (const item of document.querySelectorAll(".item")) {
    if (item.dataset.id === id) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
}

function opened() {
  const request = document.querySelector("#request");
  const split = document.querySelector("#split");
  if (!split) return;
  split.dataset.shows = request ? "detail" : "list";
  mark(request ? request.dataset.id : "");
  document.dispatchEvent(new Event("consentry:fresh"));
}

document.addEventListener("htmx:after:swap", () => {
  opened();
  document.querySelector("#detail [data-heading]")?.focus({ preventScroll: true });
});

// A session that ended answers with the sign-in page: go there instead of showing it in a pane.
document.addEventListener("htmx:before:swap", (event) => {
  const status = event.detail?.ctx?.response?.status;
  if (status && status !== 200) {
    event.preventDefault();
    location.assign(event.detail.ctx.request.action);
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Not stored: it holds for this page.
    }
    showTheme(next);
  }
  if (event.target.closest("[data-help]")) document.querySelector("#help").showModal();
  for (const menu of document.querySelectorAll(".top details[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

showTheme(root.dataset.theme ?? "system");
