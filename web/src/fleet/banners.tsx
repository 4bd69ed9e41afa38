import type { Readiness } from "@berth/protocol";
import { useEffect, useState } from "react";
import { readReadiness } from "../api/readiness.ts";
import { useFleetState } from "./context.tsx";
import "./banners.css";
import { Icon } from "../ui/icon.tsx";

/** Milliseconds between two looks at the controller's readiness: well, and while something is wrong. */
const lookAgainMs = { well: 30_000, unwell: 5_000 };
/** A stream that is cut for less than this is not worth a word. */
const patienceMs = 1200;

/** What is wrong with the whole: the controller is away, or one of its checks fails. */
export function Banners() {
  const { stream } = useFleetState();
  const away = useLasting(stream === "away", patienceMs);
  const readiness = useReadiness(stream === "live");
  if (away) {
    return (
      <div className="banner banner-away" role="status">
        <span className="spinner" aria-hidden="true" />
        <p>
          <strong>Reconnecting…</strong> The controller does not answer. Your sandboxes and terminals go on without it.
        </p>
      </div>
    );
  }
  const failed = Object.entries(readiness?.checks ?? {}).filter(([, check]) => !check.ok);
  return failed.map(([name, { error }]) => (
    <div key={name} className="banner banner-check" role="alert" data-check={name}>
      <Icon name="alert" />
      <p>
        <strong>{error?.message ?? `The check “${name}” fails.`}</strong> {error?.hint}
      </p>
    </div>
  ));
}

function useReadiness(live: boolean): Readiness | undefined {
  const [readiness, setReadiness] = useState<Readiness | undefined>(undefined);
  useEffect(() => {
    if (!live) return;
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const look = async () => {
      const found = await readReadiness(ended.signal);
      if (ended.signal.aborted) return;
      setReadiness(found);
      timer = setTimeout(look, found?.ready === false ? lookAgainMs.unwell : lookAgainMs.well);
    };
    void look();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [live]);
  return readiness;
}

/** True once the condition has held for so long. */
function useLasting(condition: boolean, ms: number): boolean {
  const [lasted, setLasted] = useState(false);
  useEffect(() => {
    if (!condition) {
      setLasted(false);
      return;
    }
    const timer = setTimeout(() => setLasted(true), ms);
    return () => clearTimeout(timer);
  }, [condition, ms]);
  return lasted && condition;
}
