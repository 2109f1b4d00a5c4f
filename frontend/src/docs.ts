/** The page of the API: Swagger UI brings its own script and sheet; this dresses it and tells it the theme. */
import "./styles/docs.css";
import { chosenTheme } from "./theme";

const root = document.documentElement;
const machine = matchMedia("(prefers-color-scheme: dark)");

/** Swagger UI is dark where the class says so, and asks nobody else. */
function follow(): void {
  const theme = chosenTheme();
  root.classList.toggle("dark-mode", theme === "dark" || (theme === "auto" && machine.matches));
}

machine.addEventListener("change", follow);
new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] });
follow();
