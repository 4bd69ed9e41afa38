import { lazy, Suspense, useEffect, useState } from "react";
import { createApi } from "../api/client.ts";
import { useStore } from "../api/store.ts";
import { GatePage } from "../session/gate-page.tsx";
import { Button } from "../ui/button.tsx";
import { GuestVisit, type VisitState } from "./guest-visit.ts";
import "./share.css";

// xterm.js is most of the console's code, and a link that has expired needs none of it.
const SharedView = lazy(() => import("./shared-view.tsx").then((module) => ({ default: module.SharedView })));

/** The page of a share's link: for anybody who has it, with no account. */
export function GuestPage({ token }: { token: string }) {
  const [visit] = useState(
    () =>
      new GuestVisit(
        createApi(() => {}),
        token,
      ),
  );
  useEffect(() => {
    visit.begin();
    return () => visit.leave();
  }, [visit]);
  return <Visit state={useStore(visit.state)} visit={visit} />;
}

function Visit({ state, visit }: { state: VisitState; visit: GuestVisit }) {
  switch (state.phase) {
    case "opening":
      return <main className="gate" aria-busy="true" />;
    case "unreachable":
      return (
        <GatePage title="The terminal cannot be shown yet">
          <p className="gate-wait" role="status">
            <span className="spinner" aria-hidden="true" /> {state.reason}
          </p>
          <Button onClick={() => void visit.look()}>Try again</Button>
        </GatePage>
      );
    case "ended":
      return (
        <GatePage title={endWords[state.why].title}>
          <p className="gate-note" role="status" data-ended={state.why}>
            {endWords[state.why].cure}
          </p>
        </GatePage>
      );
    case "open":
      return (
        <Suspense fallback={<main className="gate" aria-busy="true" />}>
          <SharedView shared={state.shared} visit={visit} />
        </Suspense>
      );
  }
}

const endWords = {
  expired: { title: "This link has expired", cure: "Ask whoever shared the terminal for a new one." },
  revoked: { title: "This link was withdrawn", cure: "Whoever shared the terminal has ended the share." },
  unknown: {
    title: "This link leads to nothing",
    cure: "It is not complete, or the terminal that it showed is gone. Ask for a new one.",
  },
} as const;
