/** Excalidraw in the room's frame: the only module that knows React. Loaded when the board is opened. */
import {
  CaptureUpdateAction,
  Excalidraw,
  isInvisiblySmallElement,
  MainMenu,
  reconcileElements,
  restoreElements,
} from "@excalidraw/excalidraw";
import "@excalidraw/excalidraw/index.css";
import { Component, type ComponentProps, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import type { Element } from "../wire";

type ExcalidrawProps = ComponentProps<typeof Excalidraw>;
type Api = Parameters<NonNullable<ExcalidrawProps["excalidrawAPI"]>>[0];
type Local = Parameters<typeof reconcileElements>[0];
type Remote = Parameters<typeof reconcileElements>[1];
type Drawn = Parameters<typeof isInvisiblySmallElement>[0];
type Restorable = Parameters<typeof restoreElements>[0];

/** Where vite.config.ts puts its typefaces; nothing is asked of another host. */
(window as { EXCALIDRAW_ASSET_PATH?: string }).EXCALIDRAW_ASSET_PATH =
  `${import.meta.env.BASE_URL}excalidraw/`;

/** Sharing, saving and colours of the page are the room's business, not the board's. */
const UI: ExcalidrawProps["UIOptions"] = {
  tools: { image: false },
  canvasActions: {
    changeViewBackgroundColor: false,
    clearCanvas: false,
    export: false,
    loadScene: false,
    saveAsImage: false,
    saveToActiveFile: false,
    toggleTheme: false,
  },
};

export interface SceneOptions {
  host: HTMLElement;
  elements: Element[];
  theme: "light" | "dark";
  writable: boolean;
  /** Everything on the board, deleted elements too, after each change from here or from the room. */
  onChange(elements: readonly Element[]): void;
  onHeldBack(): void;
}

export interface Scene {
  receive(elements: readonly Element[]): void;
  setTheme(theme: "light" | "dark"): void;
  setWritable(writable: boolean): void;
}

export function openScene(options: SceneOptions): Scene {
  const root = createRoot(options.host);
  let { theme, writable } = options;
  let api: Api | null = null;
  let early: Element[] = [];

  const receive = (elements: readonly Element[]) => {
    if (api === null) {
      early.push(...elements);
      return;
    }
    const local = api.getSceneElementsIncludingDeleted() as Local;
    const remote = restoreElements(elements as unknown as Restorable, null) as unknown as Remote;
    api.updateScene({
      elements: reconcileElements(local, remote, api.getAppState()),
      captureUpdate: CaptureUpdateAction.NEVER, // undo takes back one's own strokes alone
    });
  };

  const draw = () =>
    root.render(
      <Frame>
        <Excalidraw
          excalidrawAPI={(given) => {
            api = given;
            const waiting = early;
            early = [];
            if (waiting.length > 0) queueMicrotask(() => receive(waiting));
          }}
          initialData={{
            elements: options.elements as unknown as Restorable,
            appState: { viewBackgroundColor: "transparent" },
            scrollToContent: true,
          }}
          onChange={(elements) =>
            options.onChange(
              elements.filter(
                (each) => each.isDeleted || !isInvisiblySmallElement(each as Drawn),
              ) as unknown as Element[],
            )
          }
          onPaste={(_, event) => {
            const holdsFile = (event?.clipboardData?.files.length ?? 0) > 0;
            if (holdsFile) options.onHeldBack();
            return !holdsFile;
          }}
          theme={theme}
          viewModeEnabled={!writable}
          UIOptions={UI}
          aiEnabled={false}
          validateEmbeddable={() => false}
          onLinkOpen={(_, event) => event.preventDefault()}
          handleKeyboardGlobally={false}
          renderTopRightUI={() => null}
          langCode="en"
        >
          <MainMenu>
            <MainMenu.DefaultItems.SearchMenu />
            <MainMenu.DefaultItems.Help />
          </MainMenu>
        </Excalidraw>
      </Frame>,
    );

  options.host.addEventListener(
    "drop",
    (event) => {
      if ((event.dataTransfer?.files.length ?? 0) === 0) return;
      event.preventDefault();
      event.stopPropagation();
      options.onHeldBack();
    },
    true,
  );
  draw();
  // Excalidraw gives the button of its menu a picture only; it makes a new one when the pane changes its size.
  new MutationObserver(() => {
    const button = options.host.querySelector(".main-menu-trigger:not([aria-label])");
    button?.setAttribute("aria-label", "Board menu");
  }).observe(options.host, { childList: true, subtree: true });
  return {
    receive,
    setTheme(next) {
      theme = next;
      draw();
    },
    setWritable(next) {
      writable = next;
      draw();
    },
  };
}

/** A drawing that Excalidraw cannot show must not take the rest of the room along. */
class Frame extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return <p className="board-wait">The board stumbled. Reload the page; the drawing is kept.</p>;
  }
}
