/**
 * The bounds of the link, the attach protocol and the PTY host, made small in the same proportions: a schedule reaches
 * every one of them with a few kilobytes. Imported before anything that derives a bound of its own from them.
 */
import { attachLimits } from "@berth/protocol";
import { linkLimits } from "@berth/protocol/link";
import { limits } from "../../agent/src/pty-host/limits.ts";

Object.assign(linkLimits, { channelWindowBytes: 8 * 1024 });
Object.assign(attachLimits, { windowBytes: 4 * 1024 });
Object.assign(limits, {
  ringBytes: 16 * 1024,
  firstRingBytes: 1024,
  frameBytes: 1024,
  floodBytes: 128,
  parseBatchBytes: 1024,
  parseTailBytes: 4 * 1024,
  restAfterMs: 200,
  lingering: 1,
  lingerMs: 500,
  restedBytes: 1024,
  scrollbackLines: 200,
  checkpointLines: 40,
  checkpointBytes: 4 * 1024,
  segmentBytes: 4 * 1024,
});
