// Approve and Deny wait until the request has been in sight for a moment, so that a stray key or click finds nothing
// to press (threat D8). The server refuses earlier votes too; this only says so before.
function arm(form) {
  if (form.dataset.armed) return;
  form.dataset.armed = "1";
  const least = Number(form.dataset.leastMs);
  const buttons = [...form.querySelectorAll("button[name=verdict]")];
  form.style.setProperty("--least", `${least}ms`);
  for (const button of buttons) {
    button.setAttribute("aria-disabled", "true");
    button.setAttribute("data-waiting", "");
  }
  let seen = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const at = performance.now();
    if (document.visibilityState === "visible") seen += at - last;
    last = at;
    if (!form.isConnected) clearInterval(timer);
    if (seen < least) return;
    clearInterval(timer);
    for (const button of buttons) {
      button.removeAttribute("aria-disabled");
      button.removeAttribute("data-waiting");
    }
  }, 50);
}

function armAll() {
  for (const form of document.querySelectorAll("form[data-decide]")) arm(form);
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-decide]");
  if (!form) return;
  // Only a press of one of the two buttons decides, and only once.
  if (!event.submitter || event.submitter.getAttribute("aria-disabled") || form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "1";
});

// A page that comes back from the browser's cache was shown before: it must be looked at again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

armAll();
document.addEventListener("consentry:fresh", armAll);
