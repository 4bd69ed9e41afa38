import type { Operation, Step } from "@berth/protocol";
import { useLayoutEffect, useRef, useState } from "react";
import { useNow } from "../api/use-now.ts";
import { Icon } from "../ui/icon.tsx";
import { durationText } from "./duration.ts";
import { isOver, type LogLine, type OperationView } from "./operation-feed.ts";
import "./operation.css";
import { operationTitle, stepTitle } from "./step-names.ts";

export interface OperationPanelProps {
  view: OperationView;
  /** The log of the step that runs is open by itself: for work that takes minutes. */
  showsRunningLog?: boolean;
}

/** An operation's steps as they go by, each with its log behind it. */
export function OperationPanel({ view, showsRunningLog = false }: OperationPanelProps) {
  const { operation, logs } = view;
  const running = operation !== undefined && !isOver(operation);
  const now = useNow(100, running);
  if (!operation) return <OperationSkeleton />;
  const current = operation.steps.find((step) => step.state === "running");
  return (
    <section className="operation" aria-labelledby="operation-title">
      <header className="operation-head">
        <h2 id="operation-title">{headline(operation)}</h2>
        <span className="operation-time mono">
          {durationText(span(operation.createdAt, operation.finishedAt, now))}
        </span>
      </header>
      <p className="visually-hidden" role="status">
        {current
          ? `${operationTitle(operation.kind)}: ${stepTitle(current.name, operation.kind)}`
          : headline(operation)}
      </p>
      <ol className="steps">
        {operation.steps.map((step) => (
          <StepRow
            key={step.name}
            step={step}
            title={step.detail ?? stepTitle(step.name, operation.kind)}
            lines={logs.get(step.name) ?? []}
            now={now}
            opens={step.state === "failed" || (showsRunningLog && step.state === "running")}
          />
        ))}
      </ol>
    </section>
  );
}

interface StepRowProps {
  step: Step;
  /** What it does, or says of itself. */
  title: string;
  lines: readonly LogLine[];
  now: number;
  /** It shows its log without being asked: it is what one looks for. */
  opens: boolean;
}

function StepRow({ step, title, lines, now, opens }: StepRowProps) {
  const [toggled, setToggled] = useState<boolean | undefined>(undefined);
  const open = toggled ?? (opens && lines.length > 0);
  const timed = step.startedAt !== null && step.state !== "skipped";
  return (
    <li className="step" data-state={step.state} data-step={step.name}>
      <button
        type="button"
        className="step-row"
        aria-expanded={open}
        onClick={() => setToggled(!open)}
        disabled={step.state === "pending"}
      >
        <span className="step-mark">
          <StepMark state={step.state} />
        </span>
        <span className="step-name mono">{step.name}</span>
        <span className="step-title">{title}</span>
        <span className="visually-hidden">, {step.state}</span>
        <span className="step-time mono">
          {timed && step.startedAt !== null ? durationText(span(step.startedAt, step.finishedAt, now)) : ""}
        </span>
        <Icon name={open ? "down" : "right"} />
      </button>
      {step.state === "running" && step.progress !== null && (
        <progress className="step-progress" max={1} value={step.progress} aria-label={`${step.name} progress`} />
      )}
      {open && <StepLog lines={lines} />}
    </li>
  );
}

/** The log of a step; it stays at its end while that is what is seen. */
function StepLog({ lines }: { lines: readonly LogLine[] }) {
  const ref = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines make it longer
  useLayoutEffect(() => {
    if (ref.current && atEnd.current) ref.current.scrollTop = ref.current.scrollHeight;
  }, [lines]);
  return (
    <pre
      ref={ref}
      className="step-log mono"
      onScroll={({ currentTarget: log }) => {
        atEnd.current = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
      }}
    >
      {lines.length === 0 && "Nothing was logged."}
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines are only ever added at the end
        <span key={index} data-source={line.source}>{`${line.text}\n`}</span>
      ))}
    </pre>
  );
}

function StepMark({ state }: { state: Step["state"] }) {
  switch (state) {
    case "running":
      return <span className="spinner" />;
    case "succeeded":
      return <Icon name="check" />;
    case "failed":
      return <Icon name="cross" />;
    case "pending":
    case "skipped":
      return <span className="step-dot" />;
  }
}

function OperationSkeleton() {
  return (
    <section className="operation" aria-busy="true">
      {["a", "b", "c", "d", "e"].map((row) => (
        <div key={row} className="skeleton step-skeleton" />
      ))}
    </section>
  );
}

function headline(operation: Operation): string {
  const doing = `${operationTitle(operation.kind)} ${operation.sandboxName ?? "a template"}`;
  switch (operation.state) {
    case "queued":
    case "running":
      return doing;
    case "succeeded":
      return `${doing}: done`;
    case "failed":
      return `${doing} failed`;
    case "cancelled":
      return `${doing} was cancelled`;
  }
}

/** Milliseconds from an instant to another, or to now. Clocks may differ a little: never below zero. */
function span(from: string, to: string | null, now: number): number {
  return Math.max(0, (to === null ? now : Date.parse(to)) - Date.parse(from));
}
