// Runs before the first paint: the reader's theme, or the system's. The cookie lets the server paint the next page right.
(function () {
  "use strict";
  var chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* storage may be off */ }
  var dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  var theme = dark ? "dark" : "light";
  document.documentElement.setAttribute("data-bs-theme", theme);
  document.cookie = "theme=" + theme + ";path=/;max-age=31536000;samesite=lax";
})();
