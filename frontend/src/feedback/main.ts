/** The feedback page: what the server drew, brought to life. Without this script it works as plain forms. */
import "../styles/feedback.css";
import { AnswerForm } from "./form";
import { readPage } from "./page";
import { previewIdentity, watch } from "./reveal";

/** Bring to life whichever state the page shows; called again after the page has moved to the next one. */
function enliven(): void {
  const page = readPage();
  const answers = document.querySelector<HTMLFormElement>("#answers");
  if (answers) new AnswerForm(answers, page, enliven);
  const unmask = document.querySelector<HTMLFormElement>("#unmask");
  if (unmask) previewIdentity(unmask);
  watch(page, enliven);
}

enliven();
