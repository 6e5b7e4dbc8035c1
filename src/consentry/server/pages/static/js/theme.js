// Runs before the first paint, so that a chosen theme never flashes. What is stored is a word; nothing else is believed.
(() => {
  const root = document.documentElement;
  root.setAttribute("data-js", "");
  try {
    const stored = localStorage.getItem("theme");
    if (stored === "light" || stored === "dark") root.setAttribute("data-theme", stored);
  } catch {
    // Storage is switched off: the system's colours hold.
  }
})();
