import type { ReactNode } from "react";
import { BerthMark } from "../ui/icon.tsx";
import "./session.css";

/** The page of somebody who is not signed in: one panel. */
export function GatePage({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="gate">
      <div className="gate-panel">
        <p className="gate-brand">
          <BerthMark /> Berth
        </p>
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}
