// Light or dark, kept for the next visit, and the theme's colours for what is drawn on a canvas.

const KEY = "genesis.theme";
const system = () => (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");

document.documentElement.dataset.theme = localStorage.getItem(KEY) || system();

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(KEY, theme);
  dispatchEvent(new Event("genesis-theme"));
}

export const toggleTheme = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
