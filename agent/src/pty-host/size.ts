/** A terminal's size in cells. */
export interface Size {
  cols: number;
  rows: number;
}

/**
 * Whose size a terminal has: that of the viewer who typed last, and at once that of a viewer who is alone. A viewer
 * that typed and left keeps its size in force until another one types or is alone.
 */
export class SizeOwnership<Viewer> {
  readonly #wishes = new Map<Viewer, Size | undefined>();
  #owner: Viewer | undefined;

  /** The size that the terminal should have, if any viewer decides it. */
  get wanted(): Size | undefined {
    return this.#owner === undefined ? undefined : this.#wishes.get(this.#owner);
  }

  /** A viewer came, with the size of its window if it told one. */
  join(viewer: Viewer, wish: Size | undefined): void {
    this.#wishes.set(viewer, wish);
    this.#giveToSole();
  }

  wish(viewer: Viewer, wish: Size): void {
    if (this.#wishes.has(viewer)) this.#wishes.set(viewer, wish);
  }

  typed(viewer: Viewer): void {
    if (this.#wishes.get(viewer)) this.#owner = viewer;
  }

  leave(viewer: Viewer): void {
    this.#wishes.delete(viewer);
    if (this.#owner === viewer) this.#owner = undefined;
    this.#giveToSole();
  }

  #giveToSole(): void {
    const [sole] = this.#wishes.keys();
    if (this.#wishes.size === 1) this.#owner = sole;
  }
}

const escapeByte = String.fromCharCode(0x1b);
const bellByte = String.fromCharCode(0x07);
/** What a viewer's terminal sends by itself: focus, mouse, the cursor's position, its attributes and other answers. */
const reports = [
  String.raw`\[[IO]`,
  String.raw`\[M[\s\S]{3}`,
  String.raw`\[<[\d;]*[Mm]`,
  String.raw`\[[?>=][\d;:]*\$?[cnuyt]`,
  String.raw`\[[\d;]*[cnt]`,
  String.raw`\[\d+;\d+R`,
  String.raw`[P\]_][^${bellByte}${escapeByte}]*(?:${bellByte}|${escapeByte}\\)`,
];
const report = new RegExp(`^(?:${escapeByte}(?:${reports.join("|")}))+$`);

/** Whether input is only what a terminal sends by itself, so nobody has typed. Looks at short input alone. */
export function isReport(input: Uint8Array): boolean {
  if (input[0] !== 0x1b || input.byteLength > 1024) return false;
  return report.test(Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("latin1"));
}
