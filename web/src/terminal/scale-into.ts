/** Letters of fewer pixels than this nobody reads, least of all on a phone. */
const legiblePixels = 10;

/** How large a terminal's text is, with what is around it, in pixels. */
interface Extent {
  readonly width: number;
  readonly height: number;
}

/** Shrinks a terminal that is larger than its place, and puts a smaller one into the middle. */
export function scaleInto(host: HTMLElement, element: HTMLElement): void {
  const extent = extentOf(element);
  if (!extent) return;
  const scale = Math.min(1, fittingScale(host, extent));
  const left = Math.max(0, (host.clientWidth - extent.width * scale) / 2);
  sizeTo(element, extent);
  element.style.transform = `translate(${left}px, 0) scale(${scale})`;
  scrolls(host, false);
}

/** Keeps a terminal that is larger than its place as it is, to be scrolled there, by a finger too. */
export function scrollInto(host: HTMLElement, element: HTMLElement): void {
  const extent = extentOf(element);
  if (!extent) return;
  sizeTo(element, extent);
  scrolls(host, true);
}

/** Back to a terminal that fills its place. */
export function unscale(host: HTMLElement, element: HTMLElement): void {
  for (const property of ["transform", "width", "height"] as const) element.style[property] = "";
  scrolls(host, false);
}

/**
 * The font with which a terminal can be read that would be scaled into its place, where that needs another one than
 * `usual`: then it is to be scrolled. `present` is the font that it has. All in pixels.
 */
export function legibleFont(
  host: HTMLElement,
  element: HTMLElement,
  { usual, present }: { usual: number; present: number },
): number | undefined {
  const extent = extentOf(element);
  if (!extent || usual <= legiblePixels) return undefined;
  const scale = fittingScale(host, extent) * (present / usual);
  return scale * usual < legiblePixels ? legiblePixels : undefined;
}

function fittingScale(host: HTMLElement, { width, height }: Extent): number {
  return Math.min(host.clientWidth / width, host.clientHeight / height);
}

function extentOf(element: HTMLElement): Extent | undefined {
  const screen = element.querySelector<HTMLElement>(".xterm-screen");
  if (!screen) return undefined;
  const style = getComputedStyle(element);
  const width = screen.offsetWidth + Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.paddingRight);
  const height = screen.offsetHeight + Number.parseFloat(style.paddingTop) + Number.parseFloat(style.paddingBottom);
  return { width, height };
}

function sizeTo(element: HTMLElement, { width, height }: Extent): void {
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
}

/** Begins with the last lines: that is where a program writes. */
function scrolls(host: HTMLElement, doesScroll: boolean): void {
  if (host.hasAttribute("data-scrolls") === doesScroll) return;
  host.toggleAttribute("data-scrolls", doesScroll);
  if (doesScroll) host.scrollTop = host.scrollHeight;
}
