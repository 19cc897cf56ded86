// Runs before the first paint: the chosen theme, then the app. A file of its own, since the page's policy allows no inline script.
(() => {
  const here = document.currentScript.src;
  try {
    const theme = localStorage.getItem("hookcast.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be switched off; the system's theme serves.
  }
  const failed = (error) => {
    console.error(error);
    const start = document.getElementById("start");
    if (!start) return;
    start.textContent = "The web app could not be loaded. Reload the page; if that does not help, this browser is too old for WebAssembly.";
    start.className = "start start-text";
  };
  // From the cache the app can be there before the page's body, which it takes the place of, has been read.
  const body = new Promise((ready) => {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready, { once: true });
    else ready();
  });
  Promise.all([import(new URL("{{app.js}}", here).href), body])
    .then(([app]) => app.default({ module_or_path: new URL("{{app.wasm}}", here) }))
    .catch(failed);
})();
