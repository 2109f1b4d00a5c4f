/** The page of tokens: one button that copies. */
import "./styles/tokens-page.css";

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy ?? "") as HTMLInputElement;
    const said = document.querySelector("[data-copied]");
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
      if (said) said.textContent = "The token is copied.";
    } catch {
      // Without https there is no clipboard: select it, so that one key copies it.
      field.focus();
      field.select();
      if (said) said.textContent = "The token is selected. Copy it with your keyboard.";
    }
  });
}
