// Automatic, light or dark. The first paint is settled by theme-first.js.
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };

export function themeButton(button) {
  const root = document.documentElement;
  const changed = () => document.dispatchEvent(new CustomEvent("theme-changed"));

  function draw() {
    const theme = root.dataset.theme;
    button.textContent = SIGNS[theme];
    button.title = `Theme: ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme}. Change to ${NEXT[theme]}.`);
  }

  button.addEventListener("click", () => {
    root.dataset.theme = NEXT[root.dataset.theme];
    try { localStorage.setItem("clickrec.theme", root.dataset.theme); } catch { /* then it holds for this page */ }
    draw();
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  draw();
}
