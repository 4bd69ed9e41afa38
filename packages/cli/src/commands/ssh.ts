import { rm } from "node:fs/promises";
import { join } from "node:path";
import { backoffMs } from "@berth/base";
import { getSandbox, type Sandbox } from "@berth/protocol";
import type { Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import { notFound, wrongUsage } from "../failure.ts";
import { argument, flag, textsOption } from "../options.ts";
import type { Session } from "../session.ts";
import { hostAlias, type SshConfigFacts, sshConfig, sshFiles } from "../ssh/files.ts";
import { forwardSpec } from "../ssh/forwards.ts";
import { changeUserConfig, withInclude, withoutInclude } from "../ssh/include.ts";
import { type PreparedSsh, prepareSsh } from "../ssh/prepare.ts";
import { runProgramHere } from "../ssh/run.ts";
import { collect, describe, does, groups, type Run, sandboxArgument } from "./register.ts";

/** `berth ssh`: the real OpenSSH client, through the controller's gateway. */
export function sshCommand(run: Run): Command {
  const command = describe("ssh", {
    summary: "Sign in to a sandbox by SSH, or run a command there",
    more: `OpenSSH's own client runs, with a key of this machine's that is registered at the first time. What follows -- is
read by the shell in the sandbox, as ssh always has it. berth ends with its exit code; 255 is ssh's own.`,
    examples: [
      "berth ssh web",
      "berth ssh web -- 'cd src && make'",
      "tar c . | berth ssh web -- tar x -C /workspace",
      "berth ssh web -A                 # with your agent",
    ],
    group: groups.files,
  })
    .addArgument(sandboxArgument())
    .argument("[command...]", "run this instead of a shell")
    .option("-A, --forward-agent", "let programs there use your SSH agent")
    .option("-t, --tty", "a terminal for the command, too")
    .option("--claude", "its Claude, instead of a shell");
  return does(command, run, async (session, at) => {
    const { name } = await sandboxOf(session, argument(at, 0));
    const ssh = await prepareSsh(session);
    const options = [
      ...(flag(at, "forwardAgent") ? ["-A"] : []),
      ...(flag(at, "tty") || flag(at, "claude") ? ["-t"] : []),
    ];
    const host = hostAlias(name, ssh.facts.profile);
    const remote = at.args.slice(1);
    const target = flag(at, "claude") ? `claude.${host}` : host;
    // Behind the host, too, ssh looks for options of its own until it is told that there are none.
    const command = remote.length === 0 ? [] : ["--", ...remote];
    return runProgramHere(["ssh", ...options, "-F", ssh.files.config, target, ...command], session.signal);
  });
}

/** `berth cp`: files and folders there and back, by scp. */
export function cpCommand(run: Run): Command {
  const command = describe("cp", {
    summary: "Copy files and folders into a sandbox, or out of it",
    more: "A path in a sandbox is SANDBOX:PATH; one that does not begin with / is below its user's home.",
    examples: [
      "berth cp notes.md web:/workspace/",
      "berth cp web:/workspace/dist ./dist -r",
      "berth cp -- -odd-name web:/tmp/",
    ],
    group: groups.files,
  })
    .argument("<from>", "what to copy")
    .argument("<to...>", "where to; of several the last one, and the others are copied too")
    .option("-r, --recursive", "folders with all that is in them");
  return does(command, run, async (session, at) => {
    const ssh = await prepareSsh(session);
    const paths = at.args.map((path) => scpPath(path, ssh.facts));
    if (!paths.some(({ remote }) => remote)) {
      throw wrongUsage("No path is in a sandbox.", "One looks like web:/workspace/file.");
    }
    const options = flag(at, "recursive") ? ["-r"] : [];
    const quiet = session.output.quiet || session.output.json ? ["-q"] : [];
    const words = paths.map(({ text }) => text);
    return runProgramHere(["scp", ...options, ...quiet, "-p", "-F", ssh.files.config, "--", ...words], session.signal);
  });
}

/** A path as scp takes it: with a host, or as one that cannot be taken for a host. */
export function scpPath(path: string, { sandboxes, profile }: Pick<SshConfigFacts, "sandboxes" | "profile">) {
  const [, reference, rest] = /^([a-z0-9][a-z0-9_-]{0,62}):(.*)$/s.exec(path) ?? [];
  // One that begins otherwise is a path for sure.
  if (reference === undefined) return { text: /^[./]/.test(path) ? path : `./${path}`, remote: false };
  const sandbox = sandboxes.find(({ id, name }) => name === reference || id === reference);
  if (!sandbox) throw notFound(`There is no sandbox "${reference}".`, `Say ./${path} if it is a file of this machine.`);
  return { text: `${hostAlias(sandbox.name, profile)}:${rest}`, remote: true };
}

/** How long a forwarding holds at least that was once up, in milliseconds: one that ends sooner cannot be had. */
const settledMs = 3_000;

/** `berth forward`: ports of a sandbox here, and ports of this machine there. */
export function forwardCommand(run: Run): Command {
  const command = describe("forward", {
    summary: "Forward TCP ports of a sandbox to this machine, or the other way",
    more: `Until Ctrl-C; a connection that is cut is made again. PORT is the same on both sides; PORT:THERE differs, and
PORT:HOST:THERE reaches on to another host. -R opens a port in the sandbox that leads to this machine.`,
    examples: [
      "berth forward web 3000",
      "berth forward web 8080:3000 5432",
      "berth forward web -R 9000:127.0.0.1:9000",
    ],
    group: groups.files,
  })
    .addArgument(sandboxArgument())
    .argument("[port...]", "ports of the sandbox to have here")
    .option("-L <port>", "the same; may be repeated", collect, [])
    .option("-R <port>", "a port of this machine to have in the sandbox; may be repeated", collect, []);
  return does(command, run, forward);
}

async function forward(session: Session, command: Command): Promise<number | undefined> {
  const here = [...command.args.slice(1), ...textsOption(command, "L")].map(forwardSpec);
  const there = textsOption(command, "R").map(forwardSpec);
  if (here.length + there.length === 0) throw wrongUsage("No port is named.", "For example: berth forward web 3000.");
  const { name } = await sandboxOf(session, argument(command, 0));
  const ssh = await prepareSsh(session);
  const specs = [...here.flatMap((spec) => ["-L", spec]), ...there.flatMap((spec) => ["-R", spec])];
  for (const spec of here) session.output.note(`${shown(spec, 0)} leads to ${shown(spec, 2)} in ${name}.`);
  for (const spec of there) session.output.note(`${shown(spec, 0)} in ${name} leads to ${shown(spec, 2)} here.`);
  return hold(session, [...specs, "-F", ssh.files.config, hostAlias(name, ssh.facts.profile)]);
}

/** Holds a forwarding until Ctrl-C; answers the exit code of ssh if it cannot be had at all. */
async function hold(session: Session, args: readonly string[]): Promise<number> {
  const { signal, surroundings } = session;
  const fixed = ["ssh", "-N", "-T", "-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes"] as const;
  let wasUp = false;
  for (let failures = 0; ; failures += 1) {
    const begun = surroundings.clock.now();
    const code = await runProgramHere([...fixed, ...args], signal);
    signal.throwIfAborted();
    if (surroundings.clock.now() - begun > settledMs) {
      wasUp = true;
      failures = 0;
    }
    if (!wasUp) return code === 255 ? exitCodes.unreachable : code;
    session.output.note("The connection is away; making it again.");
    await surroundings.clock.sleep(backoffMs(failures, { firstMs: 500, maxMs: 10_000 }), signal);
  }
}

function shown(spec: string, from: 0 | 2): string {
  const [bind = "", port = "", host = "", to = ""] = spec.match(/\[[^\]]*\]|[^:]+/g) ?? [];
  return from === 0 ? `${bind}:${port}` : `${host}:${to}`;
}

/** `berth ssh-config`: for every program that uses OpenSSH: editors, git, rsync. */
export function sshConfigCommand(run: Run): Command {
  const command = describe("ssh-config", {
    summary: "Let ssh, scp, rsync, git and editors reach sandboxes by name",
    more: `Prints the configuration; with --write, ~/.ssh/config includes it, and ssh web.berth works (VS Code's Remote-SSH
too). Sandboxes that come later are in it after the next run, or the next berth ssh. claude.web.berth is its Claude.`,
    examples: [
      "berth ssh-config --write",
      "ssh web.berth",
      "rsync -a ./ web.berth:/workspace/",
      "berth ssh-config --remove",
    ],
    group: groups.files,
  })
    .option("--write", "include it in ~/.ssh/config")
    .option("--remove", "take it out of there again");
  return does(command, run, async (session, at) => {
    if (flag(at, "remove")) return remove(session);
    const ssh = await prepareSsh(session);
    if (flag(at, "write")) await include(session, ssh);
    else session.output.result(sshFacts(ssh), () => sshConfig(ssh.facts));
    return undefined;
  });
}

const sshFacts = ({ files, gateway }: PreparedSsh) => ({ gateway, configFile: files.config, identityFile: files.key });

async function include(session: Session, ssh: PreparedSsh): Promise<void> {
  const { configDir, home } = session.environment;
  const pattern = join(configDir, "ssh", "*", "config");
  const changed = await changeUserConfig(home, (text) => withInclude(text, pattern));
  const names = ssh.facts.sandboxes.map(({ name }) => hostAlias(name, ssh.facts.profile));
  session.output.note(changed ? "~/.ssh/config includes it now." : "~/.ssh/config includes it already.");
  session.output.result(sshFacts(ssh), () => names.map((name) => `ssh ${name}\n`).join(""));
}

async function remove(session: Session): Promise<undefined> {
  const { configDir, home } = session.environment;
  const changed = await changeUserConfig(home, withoutInclude);
  await rm(sshFiles(configDir, await session.profileInUse()).config, { force: true });
  session.output.note(changed ? "~/.ssh/config is as it was before." : "~/.ssh/config had nothing of it.");
  return undefined;
}

async function sandboxOf(session: Session, id: string): Promise<Sandbox> {
  return (await session.client()).call(getSandbox, { params: { id } }, { signal: session.signal });
}
