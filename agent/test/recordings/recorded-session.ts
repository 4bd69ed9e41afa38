import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { parseJson } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";

const sessionSchema = Type.Object({
  cols: Type.Integer(),
  rows: Type.Integer(),
  /** In their order: what the program wrote, one character a byte, and the sizes that its terminal was given. */
  parts: Type.Array(
    Type.Union([
      Type.Object({ output: Type.String() }),
      Type.Object({ resize: Type.Tuple([Type.Integer(), Type.Integer()]) }),
    ]),
  ),
});
/** All that a real program wrote to its terminal. */
export type RecordedSession = Static<typeof sessionSchema>;

const suffix = ".session.gz";

/** A session as a file's contents. */
export function packSession(session: RecordedSession): Buffer {
  return gzipSync(JSON.stringify(session), { level: 9 });
}

/** The sessions that lie beside this file, by name. */
export async function recordedSessions(): Promise<Map<string, RecordedSession>> {
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(suffix)).sort();
  const sessions = new Map<string, RecordedSession>();
  for (const name of names) {
    const session = parseJson(gunzipSync(await readFile(join(import.meta.dirname, name))).toString());
    if (!Value.Check(sessionSchema, session)) throw new Error(`${name} is not a recorded session`);
    sessions.set(name.slice(0, -suffix.length), session);
  }
  return sessions;
}
