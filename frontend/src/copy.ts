/** Buttons that copy: <button data-copy="id of a field">. */

const SAID_MS = 2500;

export function wireCopyButtons(root: ParentNode): void {
  for (const button of root.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
    const words = button.textContent ?? "";
    const field = document.getElementById(button.dataset.copy ?? "");
    if (!(field instanceof HTMLInputElement)) continue;
    field.addEventListener("focus", () => field.select());
    let timer = 0;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      const done = await copy(field);
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        button.textContent = words;
      }, SAID_MS);
    });
  }
}

async function copy(field: HTMLInputElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // Without https, or refused: leave it selected for the person's own hands.
    field.focus();
    field.select();
    return false;
  }
}
