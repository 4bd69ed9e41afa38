import type { SharedTerminal } from "@berth/protocol";
import type { AttachState } from "@berth/protocol/viewer";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { useNow } from "../api/use-now.ts";
import { ConnectionPill } from "../terminal/connection-pill.tsx";
import { BerthMark } from "../ui/icon.tsx";
import { durationWords } from "./duration-words.ts";
import { GuestTerminal } from "./guest-terminal.ts";
import type { GuestVisit } from "./guest-visit.ts";
import "../terminal/terminal.css";

/** A shared terminal: what it is, and its screen scaled into the page. */
export function SharedView({ shared, visit }: { shared: SharedTerminal; visit: GuestVisit }) {
  const [state, setState] = useState<AttachState>({ phase: "suspended" });
  const [title, setTitle] = useState(shared.title);
  const host = useRef<HTMLDivElement>(null);
  useGuestTerminal(host, shared, visit, setState, setTitle);
  const shown = title || shared.name || "Terminal";
  useEffect(() => {
    document.title = `${shown} · shared · Berth`;
  }, [shown]);
  const notice = noticeWords(shared, state);
  return (
    <div className="frame frame-full shared">
      <header className="top-bar shared-bar">
        <span className="brand">
          <BerthMark />
        </span>
        <h1 className="shared-title">{shown}</h1>
        <ShareFacts shared={shared} />
        <span className="top-end">
          <ConnectionPill state={state} sandbox={shared.sandboxState} />
        </span>
      </header>
      <main className="terminal" data-phase={state.phase}>
        <div className="terminal-screen">
          <div className="terminal-host" ref={host} data-scaled />
          {notice && (
            <div className="terminal-notice" role="status" data-passing>
              <p>{notice}</p>
            </div>
          )}
        </div>
      </main>
    </div>
  );
}

function ShareFacts({ shared }: { shared: SharedTerminal }) {
  const now = useNow(15_000);
  const left = Date.parse(shared.expiresAt) - now;
  return (
    <p className="shared-facts">
      <span className="shared-badge">Read-only</span> shared by <strong>{shared.sharedBy}</strong>,{" "}
      <time dateTime={shared.expiresAt} title={new Date(shared.expiresAt).toLocaleString()}>
        {left > 0 ? `expires in ${durationWords(left)}` : "expired"}
      </time>
    </p>
  );
}

function noticeWords(shared: SharedTerminal, state: AttachState): string | undefined {
  if (shared.sandboxState !== "ready") {
    return shared.sandboxState === "asleep"
      ? "The sandbox is asleep. Its terminal shows here when it wakes up."
      : "The sandbox does not run now. Its terminal shows here when it does.";
  }
  switch (state.phase) {
    case "exited":
      return "The terminal’s program has ended. This is its last screen.";
    case "failed":
      return state.reason;
    case "gone":
      return "This terminal is no more.";
    case "waiting":
      return state.reason ?? undefined;
    default:
      return undefined;
  }
}

/** Makes the terminal once its place is there; it is connected while its sandbox runs. */
function useGuestTerminal(
  host: React.RefObject<HTMLDivElement | null>,
  shared: SharedTerminal,
  visit: GuestVisit,
  setState: (state: AttachState) => void,
  setTitle: (title: string) => void,
): void {
  const [terminal, setTerminal] = useState<GuestTerminal | undefined>(undefined);
  const onState = useEffectEvent((state: AttachState) => {
    setState(state);
    // A share that ended closes the connection: the visit finds out what became of it.
    if (state.phase === "failed" || state.phase === "gone") void visit.look();
  });
  const { shareId } = shared;
  useEffect(() => {
    if (!host.current) return;
    const made = new GuestTerminal(shareId, host.current, {
      onState: (state) => onState(state),
      onTitle: setTitle,
      verdict: async () => ((await visit.look()).phase === "ended" ? "gone" : "retry"),
    });
    made.screen.show(true);
    setTerminal(made);
    return () => {
      made.dispose();
      setTerminal(undefined);
    };
  }, [host, shareId, visit, setTitle]);

  const runs = shared.sandboxState === "ready";
  useEffect(() => {
    if (!runs) terminal?.connection.suspend();
    else terminal?.connection.open();
  }, [terminal, runs]);
  // After an exit the same terminal may run again. Each look says so anew.
  useEffect(() => {
    const exited = terminal?.connection.state.phase === "exited";
    if (exited && shared.sandboxState === "ready" && shared.state === "running") terminal.connection.open();
  }, [terminal, shared]);
}
