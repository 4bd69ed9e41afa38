import type { Operation, OperationLog, Step } from "@berth/protocol";
import type { Output } from "./output.ts";
import { harmless, type Style } from "./style.ts";

/** Shows the steps of a piece of work as they go. */
export interface OperationView {
  step(step: Step): void;
  log(log: OperationLog): void;
  /** The stream was cut, and goes on when the controller is back. */
  away(): void;
  /** Nothing more is drawn; what stands stays. */
  end(): void;
}

/** Redrawn in place in a terminal, a line a change elsewhere, nothing with `--quiet` or `--json`. */
export function operationView(output: Output, operation: Operation): OperationView {
  if (output.quiet || output.json) return { step() {}, log() {}, away() {}, end() {} };
  return output.live ? new LiveView(output, operation) : new PlainView(output);
}

const marks: Record<Step["state"], string> = {
  pending: "·",
  running: "▸",
  succeeded: "✓",
  failed: "✗",
  skipped: "-",
};

class PlainView implements OperationView {
  readonly #output: Output;
  readonly #told = new Map<string, string>();

  constructor(output: Output) {
    this.#output = output;
  }

  step(step: Step): void {
    if (step.state === "pending" || this.#told.get(step.name) === step.state) return;
    this.#told.set(step.name, step.state);
    this.#output.note(`${step.name}: ${step.state === "running" ? "…" : step.state}${detailOf(step)}`);
  }

  log({ step, text }: OperationLog): void {
    this.#output.note(`${step}: ${harmless(text)}`);
  }

  away(): void {
    this.#output.note("The controller does not answer; waiting for it.");
  }

  end(): void {}
}

class LiveView implements OperationView {
  readonly #output: Output;
  readonly #steps: Map<string, Step>;
  #lastLog = "";
  #drawnLines = 0;

  constructor(output: Output, operation: Operation) {
    this.#output = output;
    this.#steps = new Map(operation.steps.map((step) => [step.name, step]));
    this.#draw();
  }

  step(step: Step): void {
    this.#steps.set(step.name, step);
    this.#draw();
  }

  log({ text }: OperationLog): void {
    this.#lastLog = harmless(text);
    this.#draw();
  }

  away(): void {
    this.#lastLog = "The controller does not answer; waiting for it.";
    this.#draw();
  }

  end(): void {
    this.#lastLog = "";
    this.#draw();
  }

  #draw(): void {
    const { stderr, noteStyle } = this.#output;
    const columns = stderr.columns ?? 80;
    const lines = [...this.#steps.values()].map((step) => stepLine(step, columns, noteStyle));
    if (this.#lastLog !== "") lines.push(noteStyle("dim", `    ${this.#lastLog}`.slice(0, columns - 1)));
    // Lines that have scrolled out of a small terminal cannot be drawn again.
    const shown = lines.slice(-Math.max(1, (stderr.rows ?? 24) - 1));
    const up = this.#drawnLines === 0 ? "" : `\x1b[${this.#drawnLines}A`;
    stderr.write(`${up}\r\x1b[J${shown.map((line) => `${line}\n`).join("")}`);
    this.#drawnLines = shown.length;
  }
}

function stepLine(step: Step, columns: number, style: Style): string {
  const text = `${step.name.padEnd(11)}${durationOf(step).padStart(8)}${detailOf(step)}`.slice(0, columns - 5);
  const mark = marks[step.state];
  switch (step.state) {
    case "succeeded":
      return `  ${style("green", mark)} ${text}`;
    case "failed":
      return `  ${style("red", mark)} ${text}`;
    case "running":
      return `  ${style("cyan", mark)} ${style("bold", text)}`;
    default:
      return style("dim", `  ${mark} ${text}`);
  }
}

function durationOf({ startedAt, finishedAt }: Step): string {
  if (startedAt === null || finishedAt === null) return "";
  return `${((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000).toFixed(1)} s`;
}

function detailOf({ state, progress, detail }: Step): string {
  const parts = [
    ...(state === "running" && progress !== null ? [`${Math.floor(progress * 100)} %`] : []),
    ...(detail === null ? [] : [harmless(detail)]),
  ];
  return parts.length === 0 ? "" : `  ${parts.join(", ")}`;
}
