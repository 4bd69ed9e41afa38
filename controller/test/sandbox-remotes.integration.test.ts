import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { type AddressInfo, createServer as createSocketServer, type Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Scope } from "@berth/base";
import { type GitCredential, newId } from "@berth/protocol";
import { ChannelBytes, type GitRemoteService, gitRemoteLimits, Multiplexer } from "@berth/protocol/link";
import { temporaryDirectory } from "@berth/testkit";
import pino from "pino";
import { generate } from "selfsigned";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Git } from "../src/projects/git.ts";
import { Mirrors } from "../src/projects/mirrors.ts";
import { ProjectPlaces } from "../src/projects/place.ts";
import { type RemoteAccess, RemoteAccesses } from "../src/projects/remote-access.ts";
import type { Remote } from "../src/projects/remote-url.ts";
import type { ProjectRow, Projects } from "../src/projects/repository.ts";
import { SandboxRemotes } from "../src/projects/served/sandbox-remotes.ts";
import type { SandboxRow } from "../src/sandboxes/record.ts";

const run = promisify(execFile);
const author = { GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@b" };
const token = "s3cret-token";

/** What git in a sandbox runs: joins git's streams to the test's socket. */
const helper = (socket: string) => `
const { connect } = require("node:net");
let held = "";
process.stdin.on("data", function read(chunk) {
  held += chunk.toString("latin1");
  for (let end = held.indexOf("\\n"); end !== -1; end = held.indexOf("\\n")) {
    const line = held.slice(0, end);
    held = held.slice(end + 1);
    if (line === "capabilities") process.stdout.write("connect\\n\\n");
    if (!line.startsWith("connect git-")) continue;
    process.stdin.off("data", read);
    const to = connect(${JSON.stringify(socket)}, () => to.write(line.slice(12) + "\\n" + held, "latin1"));
    process.stdout.write("\\n");
    process.stdin.pipe(to);
    to.pipe(process.stdout);
    to.on("close", () => process.exit(0));
    return;
  }
});
`;

/** A remote behind https and a password, by git's own server; and a sandbox's git that reaches it by the controller alone. */
describe("a private remote, from within a sandbox", () => {
  let scope: Scope;
  let folder: string;
  let origin: string;
  let url: string;
  let row: SandboxRow;
  let sandbox: Multiplexer;
  const work = () => join(folder, "work");

  const git = async (cwd: string, ...args: string[]) =>
    (await run("git", ["-C", cwd, "-c", "init.defaultBranch=main", ...args], { env: { ...process.env, ...author } }))
      .stdout;
  const said = (...args: string[]) =>
    git(work(), ...args).catch((error: unknown) =>
      error instanceof Error && "stderr" in error ? String(error.stderr) : "",
    );

  beforeEach(async () => {
    scope = new Scope();
    const temporary = await temporaryDirectory("berth-remotes-");
    scope.add(() => temporary.dispose());
    folder = temporary.path;
    origin = join(folder, "private.git");
    const source = join(folder, "source");
    for (const path of [source, work()]) await mkdir(path);
    await git(source, "init", "-q");
    await writeFile(join(source, "readme.md"), "hello\n");
    await git(source, "add", "-A");
    await git(source, "commit", "-qm", "first");
    await git(folder, "clone", "-q", "--bare", source, origin);
    await git(origin, "config", "http.receivepack", "true");
    const hook = join(origin, "hooks/pre-receive");
    await writeFile(
      hook,
      '#!/bin/sh\nwhile read a b ref; do case $ref in *.no) echo "no entry for $ref"; exit 1;; esac; done\n',
    );
    await chmod(hook, 0o755);
    url = await serveOrigin();
    sandbox = await openController();
    await prepareSandbox();
  });
  afterEach(() => scope.dispose());

  /** Git's own CGI program, behind a password. */
  async function serveOrigin(): Promise<string> {
    const { cert, private: key } = await generate([{ name: "commonName", value: "127.0.0.1" }], {
      keyType: "ec",
      extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
    });
    await writeFile(join(folder, "ca.pem"), cert);
    const backend = join((await run("git", ["--exec-path"])).stdout.trim(), "git-http-backend");
    const server = createServer({ cert, key }, (request, response) => {
      const wanted = `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
      if (request.headers.authorization !== wanted) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="private"' }).end();
        return;
      }
      const { pathname, search } = new URL(request.url ?? "/", url);
      const child = spawn(backend, {
        env: {
          ...{ PATH: process.env.PATH, GIT_PROJECT_ROOT: folder, GIT_HTTP_EXPORT_ALL: "1", PATH_INFO: pathname },
          ...{ QUERY_STRING: search.slice(1), REQUEST_METHOD: request.method, REMOTE_USER: "somebody" },
          CONTENT_TYPE: request.headers["content-type"] ?? "",
          HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
          GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        },
        stdio: ["pipe", "pipe", "ignore"],
      });
      request.pipe(child.stdin);
      const parts: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => parts.push(chunk));
      child.on("close", () => {
        const answer = Buffer.concat(parts);
        const end = answer.indexOf("\r\n\r\n");
        const lines = answer.subarray(0, end).toString().split("\r\n");
        const status = Number(
          /^Status: (\d+)/.exec(lines.find((line) => line.startsWith("Status:")) ?? "")?.[1] ?? 200,
        );
        for (const line of lines) if (!line.startsWith("Status:")) response.setHeader(...headerOf(line));
        response.writeHead(status).end(answer.subarray(end + 4));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    scope.add(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}/private.git`;
  }

  /** The controller's part, at the other end of a link; answers the sandbox's end. */
  async function openController(): Promise<Multiplexer> {
    /** Believes the remote's certificate, and has its credential. */
    class TestAccesses extends RemoteAccesses {
      override async open(remote: Remote, _none: GitCredential | undefined): Promise<RemoteAccess> {
        const access = await super.open(remote, { secret: token });
        return { ...access, env: { ...access.env, GIT_SSL_CAINFO: join(folder, "ca.pem") } };
      }
    }
    const dataDir = join(folder, "data");
    const roots = { roots: [], dataDir };
    const accesses = new TestAccesses({ folder: dataDir, roots, sshKey: undefined, sshAgentSocket: undefined });
    const project = { id: newId("project"), url } as ProjectRow;
    const projects = { find: async () => project, fetched: async () => {} } as unknown as Projects;
    const places = new ProjectPlaces(dataDir);
    await mkdir(places.project(project.id), { recursive: true });
    const own = new Git({ folder: join(dataDir, "git") });
    const mirrors = new Mirrors({ git: own, places, projects, accesses, now: Date.now });
    row = {
      id: newId("sandbox"),
      name: "one",
      project_id: project.id,
      branch: "berth/one",
      git_push: "own",
    } as SandboxRow;
    const log = pino({ level: "silent" });
    const remotes = new SandboxRemotes({
      git: own,
      folder: join(dataDir, "views"),
      mirrors,
      places,
      log,
      find: async () => row,
    });
    scope.add(() => remotes.stop());
    const agent: Multiplexer = new Multiplexer({
      side: "dialler",
      send: (frame) => setImmediate(() => controller.receive(Buffer.from(frame))),
      onControl: () => {},
    });
    const controller: Multiplexer = new Multiplexer({
      side: "listener",
      send: (frame) => setImmediate(() => agent.receive(Buffer.from(frame))),
      onControl: () => {},
      onOpen: (channel, _kind, params) => remotes.open(row.id, channel, params),
    });
    return agent;
  }

  function open(service: GitRemoteService, of = url): ChannelBytes {
    return new ChannelBytes(sandbox.open("git-remote", { service, url: of }));
  }

  /** A repository whose git reaches its origin by the link. */
  async function prepareSandbox(): Promise<void> {
    const socket = join(folder, "s");
    const server = createSocketServer({ allowHalfOpen: true }, (connection) => {
      connection.on("error", () => {});
      void pass(connection).catch(() => connection.destroy());
    });
    const pass = async (connection: Socket) => {
      const take = (service: GitRemoteService) => {
        const opened = open(service);
        void (async () => {
          try {
            for await (const part of opened.read()) connection.write(part);
          } finally {
            connection.end();
          }
        })().catch(() => {});
        return opened;
      };
      let bytes: ChannelBytes | undefined;
      for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
        const text: Buffer = bytes ? chunk : chunk.subarray(chunk.indexOf(0x0a) + 1);
        bytes ??= take(chunk.toString("latin1").split("\n")[0] === "receive-pack" ? "receive-pack" : "upload-pack");
        await bytes.write(text);
      }
      bytes?.end();
    };
    server.listen(socket);
    await once(server, "listening");
    scope.add(() => new Promise((resolve) => server.close(() => resolve(undefined))));
    const program = join(folder, "helper.cjs");
    await writeFile(program, helper(socket));
    await git(work(), "init", "-q");
    await git(work(), "remote", "add", "origin", url);
    await git(work(), "config", "remote.origin.vcs", "berth");
    await git(work(), "config", "alias.remote-berth", `!${process.execPath} ${program}`);
  }

  it("is fetched from and pushed to, with a credential that the sandbox never has", async () => {
    await git(work(), "pull", "-q", "origin", "main");
    await git(work(), "checkout", "-qb", "berth/one");
    // More than a channel's window, so that it goes as credit lets it.
    await writeFile(join(work(), "large"), randomBytes(3 * 1024 * 1024));
    await git(work(), "add", "-A");
    await git(work(), "commit", "-qm", "large");
    await git(work(), "push", "-q", "origin", "berth/one");
    expect(await git(origin, "rev-parse", "berth/one")).toBe(await git(work(), "rev-parse", "HEAD"));
    const { stdout } = await run("grep", ["-rl", token, work(), join(folder, "data")]).catch(() => ({ stdout: "" }));
    expect(stdout).toBe("");
  });

  it("says itself why it refuses a push, and that is the push's end", async () => {
    await git(work(), "pull", "-q", "origin", "main");
    const refused = await said("push", "origin", "HEAD:berth/one.no");
    expect(refused).toMatch(/remote: no entry for refs\/heads\/berth\/one\.no/);
    expect(refused).toMatch(/remote rejected.*pre-receive hook declined/);
    expect(await git(origin, "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main\n");
  });

  it("gets nothing that is not sound", async () => {
    await git(work(), "pull", "-q", "origin", "main");
    const blob = (await git(work(), "hash-object", "-w", "readme.md")).trim();
    await writeFile(join(folder, "tree"), `100644 .git\0${Buffer.from(blob, "hex").toString("latin1")}`, "latin1");
    const tree = (await git(work(), "hash-object", "-t", "tree", "-w", "--literally", join(folder, "tree"))).trim();
    const commit = (await git(work(), "commit-tree", "-m", "bad", tree)).trim();
    expect(await said("push", "origin", `${commit}:refs/heads/berth/one`)).toMatch(/hasDotgit|unpack/);
    expect(await git(origin, "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main\n");
  });

  it("is the only one that can be named, and not by more at a time than may", async () => {
    const other = open("upload-pack", "https://127.0.0.1:1/other.git");
    await expect(other.ready()).rejects.toThrow(/is reached by way of the controller/);
    const held = Array.from({ length: gitRemoteLimits.channels }, () => open("receive-pack"));
    await expect(open("receive-pack").ready()).rejects.toThrow(/at a time/);
    for (const one of held) one.close();
  });

  it("is not reached by what is not git's protocol", async () => {
    const bytes = open("receive-pack");
    await bytes.ready();
    await bytes.write(Buffer.from("zzzz".repeat(10_000)));
    const reading = async () => {
      for await (const _ of bytes.read());
    };
    await expect(reading()).rejects.toThrow(/not git's protocol/);
  });
});

function headerOf(line: string): [string, string] {
  const at = line.indexOf(":");
  return [line.slice(0, at), line.slice(at + 1).trim()];
}
