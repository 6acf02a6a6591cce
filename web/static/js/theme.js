// Light or dark, kept for the next visit, and the theme's colours for what is drawn on a canvas.

const KEY = "genesis.theme";
const system = () => (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");

const chosen = () => localStorage.getItem(KEY) || system();

document.documentElement.dataset.theme = chosen();

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(KEY, theme);
  dispatchEvent(new Event("genesis-theme"));
}

export const toggleTheme = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

// On paper everybody reads dark on light: browsers leave backgrounds out, and light words would stand on white.
const paper = matchMedia("print");
paper.addEventListener("change", () => {
  document.documentElement.dataset.theme = paper.matches ? "light" : chosen();
  dispatchEvent(new Event("genesis-theme"));
});
