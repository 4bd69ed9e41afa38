/**
 * The viewer of a flood, in a process of its own so that what it takes costs nobody's measurement time. Starts and
 * interrupts a program as `interruptible` when told.
 */
import { Value } from "typebox/value";
import { type FloodOrder, type FloodReport, floodOrderSchema } from "./flood-messages.ts";
import { MeasuringViewer } from "./measuring-viewer.ts";
import { promptWord } from "./programs.ts";

const tell = (report: FloodReport) => process.send?.(report);
let viewer: MeasuringViewer | undefined;
let tail = "";
let wentOnAtMs: number | undefined;

function onOutput(bytes: Buffer): void {
  tail = `${tail.slice(-promptWord.length)}${bytes.toString("latin1", Math.max(0, bytes.byteLength - promptWord.length))}`;
  if (!tail.endsWith(promptWord)) return;
  tail = "";
  tell({ kind: "stopped" });
}

/** A viewer that fell behind is given the present screen; what comes after it is live. */
function onSnapshot(): void {
  if (wentOnAtMs === undefined) return;
  tell({ kind: "caught-up", ms: performance.now() - wentOnAtMs });
  wentOnAtMs = undefined;
}

async function open({ url, headers, joins }: Extract<FloodOrder, { kind: "open" }>): Promise<void> {
  const address = { url: new URL(url), headers };
  const handlers = { onOutput, onSnapshot };
  viewer = joins ? new MeasuringViewer(address, handlers) : await MeasuringViewer.ready(address, handlers);
  tell({ kind: "open" });
}

process.on("message", (order) => {
  if (!Value.Check(floodOrderSchema, order)) throw new Error("an order has another form");
  if (order.kind === "open") void open(order);
  else if (order.kind === "start") {
    viewer?.send("g");
    tell({ kind: "started" });
  } else if (order.kind === "interrupt") viewer?.send("\x03");
  else if (order.kind === "stall") {
    viewer?.stall();
    tell({ kind: "stalled" });
  } else {
    wentOnAtMs = performance.now();
    viewer?.goOn();
  }
});
process.once("disconnect", () => process.exit(0));
