import type { ChannelBytes } from "@berth/protocol/link";
import type { Git } from "../git.ts";
import { taken } from "../transfers.ts";
import { flushPacket, NotAPacket, PacketReader, packet } from "./pkt-line.ts";
import { type Pusher, policyHint, refusedPush } from "./push-policy.ts";
import { type PushRequest, type RefUpdate, readPushRequest } from "./ref-update.ts";
import { encodeReport, type PushReport, readReport, sayPackets } from "./report.ts";
import type { View } from "./view.ts";

/** A ref that is to be pushed, and whether commits go with it that the ref has now. */
export interface CheckedUpdate extends RefUpdate {
  readonly rewrites: boolean;
}

/** What became of each ref at the remote: why it was refused, or null; and what the remote said. */
export interface RemoteOutcome {
  readonly refs: ReadonlyMap<string, string | null>;
  readonly words: readonly string[];
}

export interface PushOrder {
  readonly git: Git;
  readonly view: View;
  readonly pusher: Pusher;
  readonly bytes: ChannelBytes;
  /** Brings what is in the view to the remote. */
  toRemote(updates: readonly CheckedUpdate[]): Promise<RemoteOutcome>;
}

const maxReportBytes = 1024 * 1024;

/**
 * Speaks with a `git push` in a sandbox. What it sends is taken into the view, checked there, and brought to the remote;
 * the remote's answer is the answer. Of several refs either all that may be pushed are tried, or none where one may not.
 * Rejects with what broke it off.
 */
export async function servePush({ git, view, pusher, bytes, toRemote }: PushOrder): Promise<void> {
  const advertise = ["receive-pack", "--stateless-rpc", "--advertise-refs", view.folder];
  const { output } = await git.run({ args: [...noAlternateRefs, ...advertise], encoding: "latin1" });
  bytes.tellReady();
  await bytes.write(Buffer.from(output, "latin1"));
  const reader = new PacketReader(bytes.read());
  const request = await readPushRequest(reader);
  if (!request) return;
  if (!request.capabilities.has("side-band-64k")) throw new NotAPacket("this git is too old: it knows no side band");
  const report = await receive({ git, view, bytes }, request, reader);
  const { updates } = request;
  if (report.unpack !== "ok" || updates.every(({ ref }) => report.refs.get(ref) !== null)) {
    return bytes.write(encodeReport(report, []));
  }
  const checked = await Promise.all(updates.map((update) => check(view, update)));
  const refused = new Map(checked.map((update) => [update.ref, refusedPush(pusher, update, update.rewrites)]));
  if ([...refused.values()].some((reason) => reason !== undefined)) {
    const refs = new Map([...refused].map(([ref, reason]) => [ref, reason ?? "another ref of this push is refused"]));
    return bytes.write(encodeReport({ unpack: "ok", refs }, [policyHint(pusher)]));
  }
  const outcome = await toRemote(checked.filter(({ ref }) => report.refs.get(ref) === null));
  const refs = new Map(updates.map(({ ref }) => [ref, endOf(ref, report, outcome)]));
  return bytes.write(encodeReport({ unpack: "ok", refs }, outcome.words));
}

/** Why a ref is not at the remote as it was to be, or null. */
function endOf(ref: string, here: PushReport, there: RemoteOutcome): string | null {
  const refused = here.refs.get(ref);
  if (refused !== null) return refused ?? "it was not taken";
  const end = there.refs.get(ref);
  return end === undefined ? "the remote does not say what became of it" : end;
}

/** Commits of other sandboxes are nobody's to know. */
const noAlternateRefs = ["-c", "core.alternateRefsCommand=true"] as const;

/** Takes the pack into the view. What git says meanwhile goes to the sandbox; its report is answered. */
async function receive(
  { git, view, bytes }: Pick<PushOrder, "git" | "view" | "bytes">,
  { packets }: PushRequest,
  reader: PacketReader,
): Promise<PushReport> {
  const config = ["-c", `receive.maxInputSize=${taken.maxFileBytes}`, "-c", "receive.denyDeleteCurrent=ignore"];
  const args = [...noAlternateRefs, ...config, "receive-pack", "--stateless-rpc", view.folder];
  const program = await git.stream({ ...taken, args, signal: bytes.signal });
  try {
    await program.write(Buffer.concat([...packets.map((one) => packet(one)), flushPacket]));
    void feed(reader, (chunk) => program.write(chunk)).then(
      () => program.endInput(),
      (error: unknown) => program.end(error),
    );
    const answer = new PacketReader(program.output());
    const parts: Buffer[] = [];
    let size = 0;
    for (let next = await answer.next(); next !== undefined && next !== "flush"; next = await answer.next()) {
      if (next[0] !== 1) {
        await bytes.write(packet(next));
        continue;
      }
      size += next.byteLength;
      if (size > maxReportBytes) throw new NotAPacket("git's report is too long");
      parts.push(next.subarray(1));
    }
    const { complaints } = await program.ended;
    if (parts.length > 0) return await readReport(Buffer.concat(parts));
    for (const line of complaints.split("\n").slice(-5)) for (const part of sayPackets(line)) await bytes.write(part);
    return { unpack: "the controller's git did not take it", refs: new Map() };
  } finally {
    program.end(new Error("the conversation has ended"));
  }
}

async function feed(reader: PacketReader, tell: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  for await (const chunk of reader.rest()) await tell(chunk);
}

async function check(view: View, update: RefUpdate): Promise<CheckedUpdate> {
  const { from, to } = update;
  return { ...update, rewrites: from !== undefined && (to === undefined || !(await view.isAncestor(from, to))) };
}
