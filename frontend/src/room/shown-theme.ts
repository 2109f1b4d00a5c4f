/** Whether the page is shown light or dark now: the person's choice, else the system's. */

const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function shownTheme(): "light" | "dark" {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return dark.matches ? "dark" : "light";
}

export function watchTheme(onChange: () => void): void {
  dark.addEventListener("change", onChange);
  new MutationObserver(onChange).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
