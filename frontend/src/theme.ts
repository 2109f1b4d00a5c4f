/** Light, dark, or as the machine has it: kept in a cookie, so that the server draws the page right at once. */

export type Theme = "light" | "dark" | "auto";

const YEAR_S = 365 * 24 * 60 * 60;

export function chosenTheme(): Theme {
  const theme = document.documentElement.dataset.theme;
  return theme === "light" || theme === "dark" ? theme : "auto";
}

export function chooseTheme(theme: Theme): void {
  if (theme === "auto") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  const secure = location.protocol === "https:" ? "; Secure" : "";
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is missing in some browsers we serve
  document.cookie = `theme=${theme}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${secure}`;
}

/** The switch of the page's foot. */
export function wireThemeSwitch(): void {
  const fieldset = document.querySelector<HTMLElement>("#theme");
  if (!fieldset) return;
  fieldset.hidden = false;
  fieldset.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement) chooseTheme(event.target.value as Theme);
  });
}
