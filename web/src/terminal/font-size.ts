import { Store } from "../api/store.ts";

const key = "berth.fontSize";
const usual = 14;
const bounds = { min: 8, max: 32 };

/** The terminals' font size in pixels, the same for all and remembered by this browser. */
export const fontSize = new Store(remembered());

/** Larger (1), smaller (-1), or the usual size (0). */
export function zoom(by: 1 | 0 | -1): void {
  const size = by === 0 ? usual : Math.min(bounds.max, Math.max(bounds.min, fontSize.get() + by));
  localStorage.setItem(key, String(size));
  fontSize.set(size);
}

function remembered(): number {
  const size = Number(localStorage.getItem(key));
  return size >= bounds.min && size <= bounds.max ? size : usual;
}
