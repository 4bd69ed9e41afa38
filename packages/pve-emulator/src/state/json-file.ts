import { readTextIfExists, writeFileAtomic } from "@berth/base/node";
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";

/** A validated JSON file. Throws an error that names the file when it holds something else. */
export function parseJson<S extends TSchema>(path: string, schema: S, text: string): Static<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is not JSON: restore it, or remove the data directory to start anew`, { cause });
  }
  if (Value.Check(schema, value)) return value;
  const first = Value.Errors(schema, value)[0];
  throw new Error(`${path} is not what this version wrote (${first?.instancePath ?? ""} ${first?.message ?? ""})`);
}

/** Reads a file, or undefined if there is none. */
export async function loadJson<S extends TSchema>(path: string, schema: S): Promise<Static<S> | undefined> {
  const text = await readTextIfExists(path);
  return text === undefined ? undefined : parseJson(path, schema, text);
}

/** Reads a file, or writes its first contents. */
export async function loadOrCreate<S extends TSchema>(
  path: string,
  schema: S,
  create: () => Static<S> | Promise<Static<S>>,
): Promise<Static<S>> {
  const existing = await loadJson(path, schema);
  if (existing !== undefined) return existing;
  const made = await create();
  await saveJson(path, made);
  return made;
}

/** Writes a file so that a crash leaves the old contents or the new; for its owner's eyes only. */
export function saveJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 1)}\n`, 0o600);
}
