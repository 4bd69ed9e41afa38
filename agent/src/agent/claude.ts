import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { type Environment, parseJson } from "@berth/protocol";

/** The folder where Claude keeps its conversations, and the file of its settings. */
function claudePaths(home: string, env: Environment): { folder: string; settings: string } {
  const moved = env.CLAUDE_CONFIG_DIR;
  return moved
    ? { folder: moved, settings: join(moved, ".claude.json") }
    : { folder: join(home, ".claude"), settings: join(home, ".claude.json") };
}

/** The folder where Claude keeps the state of its sessions, while they run. */
export function sessionsFolder(home: string, env: Environment): string {
  return join(claudePaths(home, env).folder, "sessions");
}

/** A session of Claude's. */
export interface Conversation {
  readonly id: string | undefined;
  /** The one that it begins as a copy of. */
  readonly forkOf: string | undefined;
}

/**
 * The command that runs a conversation, with settings beside the user's own: resumed where a transcript of it is there,
 * else as a copy of the one that it is forked from, if that has one, and begun under its id otherwise. A transcript comes
 * with the first prompt; a conversation without one may be begun again. Without a credential it opens with Claude's own
 * login.
 */
export async function claudeCommand(
  home: string,
  env: Environment,
  { id, forkOf }: Conversation,
  settingsPath: string,
): Promise<string[]> {
  const { folder, settings } = claudePaths(home, env);
  const command = ["claude"];
  if (id !== undefined) {
    if (await hasTranscript(folder, id)) command.push("--resume", id);
    else if (forkOf !== undefined && (await hasTranscript(folder, forkOf)))
      command.push("--resume", forkOf, "--fork-session", "--session-id", id);
    else command.push("--session-id", id);
  }
  command.push("--settings", settingsPath);
  if (!hasCredential(env) && !(await hasLogin(folder, settings))) command.push("/login");
  return command;
}

const credentials = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];
/** Claude by way of another platform, which has a login of its own. */
const platforms = ["CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"];

function hasCredential(env: Environment): boolean {
  return [...credentials, ...platforms].some((name) => Boolean(env[name]));
}

/** Whether somebody has signed in here: with an account, or with a key that Claude made for itself. */
async function hasLogin(folder: string, settings: string): Promise<boolean> {
  if ((await readTextIfExists(join(folder, ".credentials.json"))) !== undefined) return true;
  const kept = parseJson((await readTextIfExists(settings)) ?? "");
  return isRecord(kept) && kept.primaryApiKey !== undefined;
}

async function hasTranscript(folder: string, conversationId: string): Promise<boolean> {
  const projects = join(folder, "projects");
  for (const project of await entriesOf(projects)) {
    try {
      if ((await stat(join(projects, project, `${conversationId}.jsonl`))).size > 0) return true;
    } catch (error) {
      if (!isErrno(error, "ENOENT") && !isErrno(error, "ENOTDIR")) throw error;
    }
  }
  return false;
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * Answers beforehand what Claude would ask on its first start: its introduction (which ends with an error where the API
 * cannot be reached), whether to trust the folder, and whether to use the API key of its environment. Leaves all other
 * settings as they are, and a file that is no JSON alone.
 */
export async function prepareClaude(home: string, env: Environment, folder: string): Promise<void> {
  const { settings: path } = claudePaths(home, env);
  const text = await readTextIfExists(path);
  const settings = text === undefined ? {} : parseJson(text);
  if (!isRecord(settings)) return;
  const prepared = preparedSettings(settings, env, folder);
  if (JSON.stringify(prepared) === JSON.stringify(settings)) return;
  await makePrivateDirectory(join(path, ".."));
  await writeFileAtomic(path, `${JSON.stringify(prepared, null, 2)}\n`);
}

type Settings = Record<string, unknown>;

function preparedSettings(settings: Settings, env: Environment, folder: string): Settings {
  const projects = record(settings.projects);
  const prepared: Settings = {
    ...settings,
    hasCompletedOnboarding: true,
    projects: { ...projects, [folder]: { ...record(projects[folder]), hasTrustDialogAccepted: true } },
  };
  const apiKey = env.ANTHROPIC_API_KEY;
  if (apiKey) prepared.customApiKeyResponses = withApproved(record(settings.customApiKeyResponses), apiKey.slice(-20));
  return prepared;
}

function withApproved(responses: Settings, key: string): Settings {
  const approved = strings(responses.approved);
  return {
    ...responses,
    approved: approved.includes(key) ? approved : [...approved, key],
    rejected: strings(responses.rejected).filter((rejected) => rejected !== key),
  };
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function record(value: unknown): Settings {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
