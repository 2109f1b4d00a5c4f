/** The transcript page: show or hide chat, code, board, events, feedback. */
import "./styles/transcript.css";

const list = document.querySelector<HTMLElement>(".transcript");

for (const box of document.querySelectorAll<HTMLInputElement>("[data-show]")) {
  const show = () => list?.classList.toggle(`hide-${box.dataset.show}`, !box.checked);
  box.addEventListener("change", show);
  show(); // a browser that comes back to the page restores the boxes
}
