/// <reference types="vitest/config" />
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

/** One entry per page that is live; Django's templates load them by these paths. */
const pages = {
  site: "src/site.ts",
  room: "src/room/main.ts",
  enter: "src/enter.ts",
  newRoom: "src/new.ts",
  feedback: "src/feedback/main.ts",
  transcript: "src/transcript.ts",
  tokens: "src/tokens.ts",
  docs: "src/docs.ts",
  admin: "src/admin.ts",
};

const EXCALIDRAW = join(import.meta.dirname, "node_modules/@excalidraw/excalidraw/dist/prod");
/** Excalidraw looks for its typefaces on this host when ours does not have one. */
const OUTSIDE_HOST = "esm.sh";
const OUTSIDE_ADDRESS = /"ASSETS_FALLBACK_URL",`https:\/\/esm\.sh\/.*?\/dist\/prod\/`/g;
const OUTSIDE_USE = /return (\w+)\.push\(new URL\(\w+,\w+\.ASSETS_FALLBACK_URL\)\),\1\}/g;

/**
 * Excalidraw that asks no other host for anything: its outside font addresses go, its typefaces come along.
 *
 * Without Xiaolai (13 MB, Chinese): such text is drawn in the machine's own. Fails the build when a new version
 * of Excalidraw writes these addresses in another way.
 */
function excalidrawAtHome(): Plugin {
  return {
    name: "excalidraw-at-home",
    apply: "build",
    transform(code, id) {
      if (!id.startsWith(EXCALIDRAW) || !code.includes(OUTSIDE_HOST)) return null;
      const stripped = code.replace(OUTSIDE_ADDRESS, '"NO_FALLBACK",""').replace(OUTSIDE_USE, "return $1}");
      if (stripped.includes(OUTSIDE_HOST) || stripped.includes("ASSETS_FALLBACK_URL")) {
        this.error("Excalidraw writes its outside font addresses in another way now");
      }
      return { code: stripped, map: null };
    },
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk" && file.code.includes(`//${OUTSIDE_HOST}`)) {
          this.error(`${file.fileName} still names ${OUTSIDE_HOST}`);
        }
      }
      const fonts = join(EXCALIDRAW, "fonts");
      for (const family of readdirSync(fonts).filter((name) => name !== "Xiaolai")) {
        for (const name of readdirSync(join(fonts, family))) {
          const fileName = `excalidraw/fonts/${family}/${name}`;
          this.emitFile({ type: "asset", fileName, source: readFileSync(join(fonts, family, name)) });
        }
      }
    },
  };
}

export default defineConfig({
  base: "/static/app/",
  plugins: [excalidrawAtHome()],
  resolve: {
    alias: { "@excalidraw/mermaid-to-excalidraw": join(import.meta.dirname, "src/room/no-mermaid.ts") },
  },
  build: {
    manifest: "manifest.json",
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2_000, // the board is large, and loaded when it is opened
    rolldownOptions: {
      input: pages,
      // Marks for a server that renders React; there is none, and each would be a dozen lines of warning.
      onLog: (level, log, show) => log.code !== "MODULE_LEVEL_DIRECTIVE" && show(level, log),
    },
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
});
