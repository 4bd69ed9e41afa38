import { mendParser } from "@berth/protocol/screen";
import { FitAddon } from "@xterm/addon-fit";
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { type AttachScreen, isAutomaticReply, sameSize, type TerminalSize } from "@berth/protocol/viewer";
import { fontSize } from "./font-size.ts";
import { legibleFont, scaleInto, scrollInto, unscale } from "./scale-into.ts";
import { currentTheme, prefersDark } from "./themes.ts";

export interface ScreenOptions {
  /** Fills the place of the terminal. */
  host: HTMLElement;
  /** What a person typed, pasted or did with the mouse. */
  onType: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** What the terminal answers to its program by itself. */
  onReply: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** False: the key is handled, and not the terminal's. */
  onKey: (event: KeyboardEvent) => boolean;
  onFit: (size: TerminalSize) => void;
  /** Another viewer's size is shown, scaled; or one's own again. */
  onScaled: (size: TerminalSize | null) => void;
  onTitle: (title: string) => void;
  onBell: () => void;
  /** It takes no keys and has no cursor to type at; its size is always that of the terminal, scaled into its place or scrolled. */
  readOnly?: boolean;
}

const encoder = new TextEncoder();
/** Only schemes that lead to pages: a program in a sandbox names these links. */
const safeLink = /^https?:\/\//i;
const scrollbackLines = 5000;

/** A terminal on the page: xterm.js with its addons, fitted to its place or scaled into it. */
export class Screen implements AttachScreen {
  readonly #options: ScreenOptions;
  readonly #terminal: Terminal;
  readonly #fitter = new FitAddon();
  readonly #releases: (() => void)[] = [];
  #webgl: WebglAddon | undefined;
  #fit: TerminalSize | undefined;
  /** The terminal's own size, once the server has said it. */
  #size: TerminalSize | undefined;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#terminal = new Terminal({
      allowProposedApi: true,
      fontFamily: '"JetBrains Mono", "Cascadia Code", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
      fontSize: fontSize.get(),
      scrollback: scrollbackLines,
      theme: currentTheme(),
      cursorBlink: false,
      disableStdin: options.readOnly ?? false,
      macOptionIsMeta: true,
      minimumContrastRatio: 1.5,
      linkHandler: { activate: (_, url) => openLink(url), allowNonHttpProtocols: false },
    });
    this.#terminal.loadAddon(this.#fitter);
    this.#terminal.loadAddon(new UnicodeGraphemesAddon());
    this.#terminal.loadAddon(new WebLinksAddon((_, url) => openLink(url)));
    mendParser(this.#terminal);
    this.#terminal.open(options.host);
    this.#listen();
  }

  /** Takes output. */
  write(bytes: Uint8Array<ArrayBuffer>, digested: () => void): void {
    this.#terminal.write(bytes, digested);
  }

  /** Takes the terminal's own size. */
  resized(size: TerminalSize): void {
    this.#size = size;
    this.#layOut();
  }

  /** Finds the size that fits its place. Does nothing while the place is hidden. */
  fit(): void {
    if (this.#options.host.clientWidth === 0) return;
    const proposed = this.#fitter.proposeDimensions();
    if (!proposed || !Number.isFinite(proposed.cols) || !Number.isFinite(proposed.rows)) return;
    const fit = { cols: Math.min(1000, proposed.cols), rows: Math.min(500, proposed.rows) };
    const changed = !sameSize(fit, this.#fit);
    this.#fit = fit;
    this.#layOut();
    if (changed) this.#options.onFit(fit);
  }

  /** Only a terminal that is seen holds a WebGL context: browsers have few of them. */
  show(visible: boolean): void {
    if (!visible) {
      this.#webgl?.dispose();
      this.#webgl = undefined;
      return;
    }
    this.fit();
    if (!this.#webgl) this.#drawByWebgl();
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** Types as if by keyboard. */
  input(data: string): void {
    this.#terminal.input(data, true);
  }

  /** Whether arrows are to be sent in their application form. */
  get applicationCursorKeys(): boolean {
    return this.#terminal.modes.applicationCursorKeysMode;
  }

  get selection(): string {
    return this.#terminal.getSelection();
  }

  get shownSize(): TerminalSize {
    return { cols: this.#terminal.cols, rows: this.#terminal.rows };
  }

  get renderer(): "webgl" | "dom" {
    return this.#webgl ? "webgl" : "dom";
  }

  /** The lines of the screen as text, without the scrollback. */
  text(): string {
    const buffer = this.#terminal.buffer.active;
    const lines: string[] = [];
    for (let row = 0; row < this.#terminal.rows; row += 1) {
      lines.push(buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? "");
    }
    return lines.join("\n");
  }

  dispose(): void {
    for (const release of this.#releases.splice(0)) release();
    this.#terminal.dispose();
  }

  #listen(): void {
    const { onType, onReply, onTitle, onBell, onKey, host } = this.#options;
    const terminal = this.#terminal;
    terminal.onData((data) => (isAutomaticReply(data) ? onReply : onType)(encoder.encode(data)));
    terminal.onBinary((data) => onType(Uint8Array.from(data, (char) => char.charCodeAt(0))));
    terminal.onTitleChange(onTitle);
    terminal.onBell(onBell);
    terminal.attachCustomKeyEventHandler((event) => event.type !== "keydown" || onKey(event));
    this.#releases.push(
      fontSize.subscribe(() => {
        terminal.options.fontSize = fontSize.get();
        this.fit();
      }),
    );
    const recolour = () => {
      terminal.options.theme = currentTheme();
    };
    prefersDark.addEventListener("change", recolour);
    this.#releases.push(() => prefersDark.removeEventListener("change", recolour));
    this.#releases.push(onPlaceChange(host, () => this.fit()));
  }

  #drawByWebgl(): void {
    try {
      const webgl = new WebglAddon();
      // The browser may take the context away; the terminal then draws by DOM.
      webgl.onContextLoss(() => {
        webgl.dispose();
        if (this.#webgl === webgl) this.#webgl = undefined;
      });
      this.#terminal.loadAddon(webgl);
      this.#webgl = webgl;
    } catch {
      // No WebGL here: xterm.js draws by DOM.
    }
  }

  /** Gives the terminal its size, and scales it into its place where that is not the size that fits. */
  #layOut(): void {
    const size = this.#size ?? this.#fit;
    const element = this.#terminal.element;
    if (!size || !element) return;
    if (!sameSize(size, this.shownSize)) this.#terminal.resize(size.cols, size.rows);
    const scaled = this.#fit !== undefined && !sameSize(size, this.#fit);
    this.#options.onScaled(scaled ? size : null);
    const { host, readOnly } = this.#options;
    unscale(host, element);
    if (scaled && readOnly && this.#makeLegible(host, element)) scrollInto(host, element);
    else if (scaled) scaleInto(host, element);
  }

  /** Takes a font that can be read where the usual one would be scaled too small; answers whether it did. */
  #makeLegible(host: HTMLElement, element: HTMLElement): boolean {
    const { options } = this.#terminal;
    const usual = fontSize.get();
    const legible = legibleFont(host, element, { usual, present: options.fontSize ?? usual });
    options.fontSize = legible ?? usual;
    return legible !== undefined;
  }
}

function openLink(url: string): void {
  if (safeLink.test(url)) window.open(url, "_blank", "noopener,noreferrer");
}

/** Milliseconds of rest before a place that is being resized counts as resized. */
const restMs = 80;

function onPlaceChange(host: HTMLElement, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const observer = new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(act, restMs);
  });
  observer.observe(host);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
  };
}
