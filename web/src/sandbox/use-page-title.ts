import { useEffect } from "react";

/** The page's title while a sandbox is shown; a dot before it when the terminal rang. */
export function usePageTitle(sandbox: string, terminalTitle: string | undefined, rang: boolean): void {
  useEffect(() => {
    const before = document.title;
    document.title = `${rang ? "● " : ""}${terminalTitle ? `${terminalTitle} · ` : ""}${sandbox} · Berth`;
    return () => {
      document.title = before;
    };
  }, [sandbox, terminalTitle, rang]);
}
