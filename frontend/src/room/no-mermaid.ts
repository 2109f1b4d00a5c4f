/** Stands in for Excalidraw's diagrams-from-text, which would triple the board's size; nothing offers it. */

export function parseMermaidToExcalidraw(): Promise<never> {
  return Promise.reject(new Error("this board draws by hand"));
}
