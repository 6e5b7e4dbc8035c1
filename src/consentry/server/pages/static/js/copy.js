// Copies the whole of an id whose shortened form is shown.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    return; // the browser said no; the title still holds the whole id
  }
  button.setAttribute("data-done", "");
  setTimeout(() => button.removeAttribute("data-done"), 1200);
});
