/** REST calls: the CSRF token goes along, and every refusal becomes one Problem with a sentence to show. */
import { sayLine } from "./say";

/** A refusal of the server (`application/problem+json`), or a call that never arrived. */
export class Problem extends Error {
  constructor(
    /** The refusal's code; "offline" if the server was not reached. */
    readonly code: string,
    /** What to tell the person. */
    readonly sentence: string,
    /** Sentences by form field; "" holds those that concern no single field. */
    readonly fields: Readonly<Record<string, readonly string[]>> = {},
  ) {
    super(sentence);
    this.name = "Problem";
  }
}

export type Method = "GET" | "PUT" | "POST" | "DELETE";

export interface CallOptions {
  /** Let the call finish although the page goes away. */
  keepalive?: boolean;
  signal?: AbortSignal;
}

/** Call the API and return the JSON it answers with. Throws Problem for everything else. */
export async function call<Answer>(
  method: Method,
  url: string,
  body?: unknown,
  options: CallOptions = {},
): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      ...options,
    });
  } catch {
    throw new Problem("offline", "The server cannot be reached. Your text is still here; it will try again.");
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as Answer;
  throw asProblem(answer);
}

function asProblem(answer: unknown): Problem {
  const { code, detail, fields } = (answer ?? {}) as {
    code?: string;
    detail?: string;
    fields?: Record<string, string[]>;
  };
  return new Problem(code ?? "bug", sayLine(code ?? "bug", detail), fields);
}

/** Django's token: from a form on the page, else from its cookie. */
function csrfToken(): string {
  const field = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  if (field) return field.value;
  return /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
}
