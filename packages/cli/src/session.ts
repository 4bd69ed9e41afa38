import { readFile } from "node:fs/promises";
import { type Clock, Scope } from "@berth/base";
import type { Client } from "@berth/protocol";
import type { Command } from "commander";
import { Profiles } from "./config/profiles.ts";
import type { Environment } from "./environment.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandFailed, wrongUsage } from "./failure.ts";
import { baseUrl } from "./http/base-url.ts";
import { Controller } from "./http/controller.ts";
import { normalFingerprint, pin, type Trust } from "./http/trust.ts";
import { textOption } from "./options.ts";
import { Output, type TextStream } from "./output/output.ts";

/** The terminal that somebody types at, or a pipe. */
export type KeyStream = NodeJS.ReadableStream & {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
};

/** What a run of the command is given. */
export interface Surroundings {
  readonly environment: Environment;
  readonly stdin: KeyStream;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly clock: Clock;
  /** Aborts with `CommandFailed` when the user presses Ctrl-C. */
  readonly signal: AbortSignal;
}

/** One command at work: where it speaks, whom it speaks with, what it has to release. */
export class Session {
  readonly surroundings: Surroundings;
  readonly output: Output;
  readonly profiles: Profiles;
  readonly scope = new Scope();
  readonly #profileName: string | undefined;
  #controller: Controller | undefined;

  constructor(surroundings: Surroundings, command: Command) {
    const { environment, stdout, stderr } = surroundings;
    const globals: unknown = command.optsWithGlobals();
    const given = (name: string) => typeof globals === "object" && globals !== null && name in globals;
    this.surroundings = surroundings;
    this.output = new Output({
      stdout,
      stderr,
      json: given("json"),
      quiet: given("quiet"),
      plain: environment.plain,
    });
    this.profiles = new Profiles(environment.configDir);
    this.#profileName = textOption(command, "profile") ?? environment.profile;
  }

  get signal(): AbortSignal {
    return this.surroundings.signal;
  }

  get environment(): Environment {
    return this.surroundings.environment;
  }

  /** The profile that was asked for by name, if one was. */
  get profileName(): string | undefined {
    return this.#profileName;
  }

  /** The name under which this controller's files are kept. */
  async profileInUse(): Promise<string> {
    if (this.#profileName !== undefined) return this.#profileName;
    const { url } = this.environment;
    // A controller of the environment has files of its own, so that no other's keys are mixed up with its.
    if (url !== undefined) return new URL(baseUrl(url)).host.replaceAll(/[^A-Za-z0-9.-]/g, "-");
    return (await this.profiles.read()).current ?? "default";
  }

  /** The controller, signed in: of the environment, of the named profile, or of the current one. */
  async controller(): Promise<Controller> {
    if (this.#controller) return this.#controller;
    const { url, token, trust } = await this.#target();
    this.#controller = this.openController(url, token, trust);
    return this.#controller;
  }

  async client(): Promise<Client> {
    return (await this.controller()).client;
  }

  openController(url: string, token: string, trust: Trust): Controller {
    const controller = new Controller({ url, token, trust, clock: this.surroundings.clock });
    this.scope.add(() => controller.dispose());
    return controller;
  }

  async #target(): Promise<{ url: string; token: string; trust: Trust }> {
    const { environment } = this.surroundings;
    if (environment.url !== undefined && this.#profileName === undefined) {
      if (environment.token === undefined) {
        throw wrongUsage("BERTH_URL is set without BERTH_TOKEN.", "Set both, or sign in with berth login URL.");
      }
      const url = baseUrl(environment.url);
      return { url, token: environment.token, trust: await this.#environmentTrust(url) };
    }
    const file = await this.profiles.read();
    const name = this.#profileName ?? file.current;
    const profile = name === null ? undefined : file.profiles[name];
    if (!profile) throw notSignedIn(this.#profileName);
    return { url: profile.url, token: environment.token ?? profile.token, trust: trustOf(profile) };
  }

  async #environmentTrust(url: string): Promise<Trust> {
    const { fingerprint, caFile } = this.surroundings.environment;
    return readTrust(url, { fingerprint, caFile, signal: this.signal });
  }
}

/** The trust that a profile remembers. */
export function trustOf({ ca, fingerprint }: { ca?: string; fingerprint?: string }): Trust {
  if (fingerprint !== undefined) return { kind: "pinned", fingerprint, certificate: ca ?? "" };
  return { kind: "authorities", ...(ca === undefined ? {} : { ca }) };
}

/** The trust that somebody asks for by a fingerprint, a file of authorities, or neither. */
export async function readTrust(
  url: string,
  wish: { fingerprint: string | undefined; caFile: string | undefined; signal: AbortSignal },
): Promise<Trust> {
  if (wish.fingerprint !== undefined) {
    const fingerprint = normalFingerprint(wish.fingerprint);
    if (fingerprint === undefined) throw wrongUsage("A fingerprint is the SHA-256 of a certificate: 64 hex digits.");
    if (!url.startsWith("https:")) throw wrongUsage("Only an https address has a certificate with a fingerprint.");
    return pin(new URL(url), fingerprint, wish.signal);
  }
  if (wish.caFile === undefined) return { kind: "authorities" };
  const ca = await readFile(wish.caFile, "utf8").catch((error: unknown) => {
    throw new CommandFailed(exitCodes.usage, "usage", `${wish.caFile} cannot be read.`, "Name a PEM file.", error);
  });
  return { kind: "authorities", ca };
}

function notSignedIn(profile: string | undefined): CommandFailed {
  const message = profile === undefined ? "You are not signed in." : `There is no profile "${profile}".`;
  const option = profile === undefined ? "" : ` --profile ${profile}`;
  return new CommandFailed(exitCodes.denied, "unauthenticated", message, `Sign in with berth login URL${option}.`);
}
