import { useMemo } from "react";
import { Store, useStore } from "../api/store.ts";
import { type Place, placeOf } from "./route.ts";

const path = new Store(window.location.pathname);
window.addEventListener("popstate", () => path.set(window.location.pathname));

/** Goes to another page of the console. `replace`: the present address is not one to come back to. */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (to === window.location.pathname) return;
  if (options.replace) window.history.replaceState(null, "", to);
  else window.history.pushState(null, "", to);
  path.set(window.location.pathname);
}

/** The place that the address bar names. */
export function usePlace(): Place {
  const current = useStore(path);
  return useMemo(() => placeOf(current), [current]);
}
