import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";

/** What Claude's hooks say last, a word for each terminal. */
export const hookWords = [
  "started",
  "working",
  /** It asks for a permission. */
  "waiting",
  "stopped",
  /** Its turn is over, and something of its goes on in the background. */
  "background",
  /** Its turn is over, and it has set itself a time to go on at. */
  "scheduled",
  /** Its turn ended with an error of the API's. */
  "failed",
  "ended",
] as const;
export type HookWord = (typeof hookWords)[number];

/** The last word of a terminal's hooks, and when it was said, in milliseconds. */
export interface HookSign {
  readonly word: HookWord;
  readonly at: number;
}

/** The pipe in the folder that a hook writes its terminal's id to, so that nobody has to look for news. */
export const bellName = "bell";

/** Claude does not wait longer for a hook than this, in seconds, whatever becomes of the agent. */
const hookSeconds = 2;

/**
 * Writes Claude's settings for a terminal whose program is about to start, beside the user's own, and answers their path. Its hooks are a few built-ins of
 * a shell: they write the word into the terminal's file, which is there for an agent that is just away, and ring the bell,
 * which blocks nobody: it is opened for both directions, so that nobody has to listen.
 */
export async function writeHookSettings(folder: string, terminalId: string): Promise<string> {
  await makePrivateDirectory(folder);
  await forgetHooks(folder, terminalId);
  const path = settingsPath(folder, terminalId);
  await writeFileAtomic(path, JSON.stringify({ hooks: hooksOf(folder, terminalId) }));
  return path;
}

/** Removes what the hooks of a terminal have left. */
export async function forgetHooks(folder: string, terminalId: string): Promise<void> {
  for (const path of [join(folder, terminalId), settingsPath(folder, terminalId)]) await rm(path, { force: true });
}

function settingsPath(folder: string, terminalId: string): string {
  return join(folder, `${terminalId}.settings.json`);
}

function hooksOf(folder: string, terminalId: string): Record<string, unknown> {
  const say = (word: HookWord) => command(`w=${word}`, folder, terminalId);
  return {
    SessionStart: say("started"),
    UserPromptSubmit: say("working"),
    PermissionRequest: say("waiting"),
    PostToolUse: say("working"),
    PostToolUseFailure: say("working"),
    Stop: command(wordOfStop, folder, terminalId),
    StopFailure: say("failed"),
    SessionEnd: say("ended"),
  };
}

/** The hook's input is one JSON object; the quotes of texts in it are escaped, so that these are its own fields. */
const wordOfStop = [
  'case "$(cat)" in',
  `*'"background_tasks":[{'*) w=background;;`,
  `*'"session_crons":[{'*) w=scheduled;;`,
  "*) w=stopped;; esac",
].join(" ");

function command(word: string, folder: string, terminalId: string): unknown {
  const file = quoted(join(folder, terminalId));
  const bell = quoted(join(folder, bellName));
  const line = `{ ${word}; echo $w >${file}; echo ${terminalId} 1<>${bell}; } 2>/dev/null; :`;
  return [{ hooks: [{ type: "command", command: line, timeout: hookSeconds }] }];
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

/** What a terminal's hooks said last; undefined where they have said nothing. */
export async function readHookSign(folder: string, terminalId: string): Promise<HookSign | undefined> {
  const path = join(folder, terminalId);
  const text = (await readTextIfExists(path))?.trim();
  const word = hookWords.find((known) => known === text);
  if (!word) return undefined;
  return { word, at: (await stat(path)).mtimeMs };
}
