import { useEffect } from "react";

/** The page's title while a part of a sandbox is seen; a dot before it when its terminal rang. */
export function usePageTitle(sandbox: string, partTitle: string | undefined, rang: boolean, seen = true): void {
  useEffect(() => {
    if (!seen) return;
    const before = document.title;
    document.title = `${rang ? "● " : ""}${partTitle ? `${partTitle} · ` : ""}${sandbox} · Berth`;
    return () => {
      document.title = before;
    };
  }, [sandbox, partTitle, rang, seen]);
}
