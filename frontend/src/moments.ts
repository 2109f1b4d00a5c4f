/** Times travel as UTC; here they become the reader's own. */

const DAY_MS = 24 * 60 * 60 * 1000;

/** “Today, 14:30”, “Tomorrow, 09:00”, “Thu 21 May, 14:30”; with the year when it is another one. */
export function momentInWords(at: Date, now: Date, locale?: string): string {
  const time = at.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
  const days = Math.round((startOfDay(at) - startOfDay(now)) / DAY_MS);
  const near = { "-1": "Yesterday", "0": "Today", "1": "Tomorrow" }[String(days)];
  if (near) return `${near}, ${time}`;
  const year = at.getFullYear() === now.getFullYear() ? undefined : "numeric";
  const day = at.toLocaleDateString(locale, { weekday: "short", day: "numeric", month: "short", year });
  return `${day}, ${time}`;
}

function startOfDay(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** Rewrite every <time data-moment> of the page. */
export function showMoments(root: ParentNode, now = new Date()): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[data-moment]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.title = element.textContent ?? "";
    element.textContent = momentInWords(at, now, "en-GB");
  }
}
