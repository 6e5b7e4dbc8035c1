// Keeps relative times and countdowns true, by the server's clock: the page says what time it was there.
const root = document.documentElement;
let offset = Number(root.dataset.now) - Date.now();
const now = () => Date.now() + offset;

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

function span(ms) {
  if (ms >= 2 * DAY) return `${Math.floor(ms / DAY)} days`;
  if (ms >= 2 * HOUR) return `${Math.floor(ms / HOUR)} h`;
  if (ms >= MINUTE) return `${Math.floor(ms / MINUTE)} min`;
  return `${Math.floor(ms / SECOND)} s`;
}

function relative(ms) {
  const away = Math.abs(ms - now());
  if (away >= 14 * DAY) return null;
  if (ms <= now()) return away < 10 * SECOND ? "just now" : `${span(away)} ago`;
  return `in ${span(away)}`;
}

function clock(ms) {
  const seconds = Math.floor(Math.max(ms, 0) / SECOND);
  if (seconds >= 2 * 86400) return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600), minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function say(element, text) {
  if (text !== null && element.textContent !== text) element.textContent = text;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) say(time, relative(Number(time.dataset.ago)));
  for (const time of document.querySelectorAll("time[data-left]")) {
    const left = Number(time.dataset.left) - now();
    say(time, left > 0 ? clock(left) : "expired");
    time.parentElement.toggleAttribute("data-near", left < Number(time.dataset.nearMs));
  }
}

tick();
setInterval(tick, SECOND);
document.addEventListener("consentry:fresh", tick);
