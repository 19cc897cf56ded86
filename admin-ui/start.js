// Runs before the first paint: the chosen theme and language, what to show until the app is there, then the app. A file of its own, since the
// page's policy allows no inline script.
(() => {
  const here = document.currentScript.src;
  const root = document.documentElement;
  let kept = () => null;
  try {
    const storage = localStorage;
    kept = (name) => storage.getItem(`hookcast.${name}`);
  } catch {
    // Storage may be switched off; the system's theme and the browser's language serve.
  }
  const theme = kept("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  root.lang = /^de\b/i.test(kept("lang") || navigator.language) ? "de" : "en";
  // Whether somebody is signed in, only the relay knows. Here somebody was when this browser last looked.
  root.dataset.start = /\/(setup|connect)$/.test(location.pathname) ? "wait" : kept("inside") ? "inside" : "login";
  const failed = (error) => {
    console.error(error);
    const start = document.getElementById("start");
    if (!start) return;
    start.textContent = root.lang === "de" ? "{{de.start_failed}}" : "{{en.start_failed}}";
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
