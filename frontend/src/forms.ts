/** What forms of every page share: sent once, and a question before what cannot be undone. */

/** A form with data-once ignores a second press while the first is on its way. */
export function sendOnce(form: HTMLFormElement): void {
  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
  });
  // Back from the page that followed, in a browser that kept this one.
  window.addEventListener("pageshow", () => {
    isSent = false;
  });
}

/** A form with data-ask (the question) and data-yes (the button's words) asks before it is sent. */
export function askFirst(form: HTMLFormElement): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const dialog = document.createElement("dialog");
    dialog.className = "dialog";
    const inner = document.createElement("form");
    inner.method = "dialog";
    const question = document.createElement("p");
    question.id = "question";
    question.textContent = form.dataset.ask ?? "Are you sure?";
    dialog.setAttribute("aria-labelledby", question.id);
    const buttons = document.createElement("p");
    buttons.className = "form-foot";
    buttons.append(
      button("no", "Keep it", "button"),
      button("yes", form.dataset.yes ?? "Yes", "button button-danger"),
    );
    inner.append(question, buttons);
    dialog.append(inner);
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue === "yes") form.submit();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function button(value: string, words: string, className: string): HTMLButtonElement {
  const element = document.createElement("button");
  element.value = value;
  element.className = className;
  element.textContent = words;
  return element;
}

export function wireForms(root: ParentNode): void {
  for (const form of root.querySelectorAll<HTMLFormElement>("form[data-once]")) sendOnce(form);
  for (const form of root.querySelectorAll<HTMLFormElement>("form[data-ask]")) askFirst(form);
}
