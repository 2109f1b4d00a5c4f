/** How the editor reads each language; the keys are those of rooms/live/languages.py. Loaded when chosen. */
import type { LanguageSupport } from "@codemirror/language";

export interface LanguagePack {
  indent: string;
  load(): Promise<LanguageSupport>;
}

export const LANGUAGES: Record<string, LanguagePack> = {
  python: { indent: "    ", load: async () => (await import("@codemirror/lang-python")).python() },
  javascript: { indent: "  ", load: async () => (await import("@codemirror/lang-javascript")).javascript() },
  typescript: {
    indent: "  ",
    load: async () => (await import("@codemirror/lang-javascript")).javascript({ typescript: true }),
  },
  java: { indent: "    ", load: async () => (await import("@codemirror/lang-java")).java() },
  cpp: { indent: "    ", load: async () => (await import("@codemirror/lang-cpp")).cpp() },
  go: { indent: "\t", load: async () => (await import("@codemirror/lang-go")).go() },
  rust: { indent: "    ", load: async () => (await import("@codemirror/lang-rust")).rust() },
  sql: { indent: "  ", load: async () => (await import("@codemirror/lang-sql")).sql() },
};
