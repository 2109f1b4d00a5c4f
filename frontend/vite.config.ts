/// <reference types="vitest/config" />
import { defineConfig } from "vite";

/** One entry per page that is live; Django's templates load them by these paths. */
const pages = {
  site: "src/site.ts",
  enter: "src/enter.ts",
  newRoom: "src/new.ts",
  feedback: "src/feedback/main.ts",
  transcript: "src/transcript.ts",
  tokens: "src/tokens.ts",
  docs: "src/docs.ts",
};

export default defineConfig({
  base: "/static/app/",
  build: {
    manifest: "manifest.json",
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    rolldownOptions: { input: pages },
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
});
