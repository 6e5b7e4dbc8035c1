// The token stands behind `#`, which browsers send to no server. It leaves the address bar at once and is posted only
// when a person presses the button: what fetches links on its own consumes nothing (threat D5).
const form = document.querySelector("[data-sign-in]");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (form && token) {
  form.elements.token.value = token;
  form.querySelector("[data-token-field]").hidden = true;
  document.querySelector("[data-with-token]").hidden = false;
  document.querySelector("[data-without-token]").hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
}
