import { randomBytes } from "node:crypto";
import { appendFile, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import { guestPaths, type Sandbox, sandboxSsh, startSync } from "@berth/protocol";
import { startSshServer, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { type FileProgram, filePrograms } from "./file-programs.ts";
import { git } from "./git-flow.ts";
import { hashOf, listingOf, makeMany, makeOddTree, many, without } from "./odd-tree.ts";
import { type ProgramEnd, type SshUser, sshUser } from "./ssh-user.ts";

/** By the names that `ssh` knows them by; the first is no sandbox, and shows what a program makes of a tree by itself. */
const places = { plain: "plain", gateway: "trees@gateway", direct: "direct" } as const;

describe("a tree of odd names, modes and links, of sparse and large files, and of 50,000 small ones", () => {
  const scope = new Scope();
  let folder: string;
  /** The tree as it was made. */
  let tree: string;
  let berth: Berth;
  let sandbox: Sandbox;
  let user: SshUser;
  /** The sandbox's workspace as this machine sees it. */
  let workspace: string;

  beforeAll(async () => {
    const temporary = await temporaryDirectory("berth-trees-e2e-");
    scope.add(() => temporary.dispose());
    folder = temporary.path;
    tree = join(folder, "tree");
    await Promise.all([makeOddTree(join(tree, "odd")), makeMany(tree)]);
    berth = await startBerth({ env: { BERTH_WORKSPACE_ROOTS: folder } });
    scope.add(() => berth.dispose());
    user = await sshUser(berth);
    scope.add(() => user.dispose());
    sandbox = await berth.readySandbox({ name: "trees", workspace: { type: "folder", path: tree } });
    workspace = join(await berth.rootOf(sandbox), guestPaths.workspace);
    await nameOtherPlaces();
  });
  afterAll(() => scope.dispose());

  /** Has ssh know the sandbox's own address, and a server of this machine, beside the gateway. */
  async function nameOtherPlaces(): Promise<void> {
    const hostKey = sshKeyPair(randomBytes(32), "plain");
    const server = await startSshServer({ hostKey: hostKey.privateKey, authorizedKeys: [user.publicKey] });
    scope.add(() => server.dispose());
    const own = await berth.client.call(sandboxSsh, { params: { id: sandbox.id } });
    await appendFile(join(user.folder, "known_hosts"), `plain ${hostKey.publicKey}\ndirect ${own.hostKey}\n`);
    const host = (name: string, address: string, port: number, login: string) =>
      `Host ${name}\n  HostName ${address}\n  Port ${port}\n  User ${login}\n  HostKeyAlias ${name}\n`;
    const hosts = [
      host("plain", server.host, server.port, server.username),
      host("direct", sandbox.address ?? "", own.port, own.user),
    ];
    await appendFile(user.configFile, hosts.join(""));
  }

  /** Where something is on the far side, for a program and for this machine. */
  const far = (place: keyof typeof places, name: string) =>
    place === "plain"
      ? { told: join(folder, name), seen: join(folder, name) }
      : { told: `/${guestPaths.workspace}/${name}`, seen: join(workspace, name) };
  const inSandbox = async (command: string) => {
    const { code, stdout, stderr } = await user.ssh("trees", [`cd /${guestPaths.workspace} && ${command}`]);
    expect(code, stderr).toBe(0);
    return stdout.toString().trim();
  };
  const blocksOf = async (root: string) => (await stat(join(root, "odd/bulk/sparse"))).blocks;

  it("is the same in a container, and back on the host, by Berth's own sync", async () => {
    const wanted = await hashOf(tree);
    expect(Number.parseInt(wanted, 10)).toBeGreaterThan(2 * many.folders * many.filesOfEach);
    expect(await hashOf(workspace)).toBe(wanted);
    const back = join(folder, "back");
    await mkdir(back);
    const order = { params: { id: sandbox.id }, body: { direction: "pull" as const, folder: back } };
    const { operation } = await berth.client.call(startSync, order);
    expect(await berth.ended(operation.id)).toMatchObject({ state: "succeeded" });
    expect(await hashOf(back)).toBe(wanted);
    for (const root of [tree, workspace, back]) expect(await blocksOf(root), root).toBeLessThan(2048);
  });

  it("is the same by git through the gateway, whose objects are named by what is in them", async () => {
    // Small files are packed at once, too: 50,000 objects in files of their own would take git longer than all else.
    await git(tree, "init", "-q");
    await git(tree, "-c", "core.bigFileThreshold=1", "add", "-A");
    await git(tree, "commit", "-qm", "all of it");
    const byUser = async (...args: string[]) => {
      const own = ["-c", `core.sshCommand=ssh -F ${user.configFile}`, "-c", "user.name=a", "-c", "user.email=a@b"];
      const { code, stdout, stderr } = await user.run("git", [...own, ...args], "", { timeoutMs: 120_000 });
      expect(code, stderr).toBe(0);
      return stdout.toString().trim();
    };
    const url = `${places.gateway}:/workspace/by-git`;
    await inSandbox("git init -q by-git");
    await byUser("-C", tree, "push", "-q", url, "HEAD:refs/heads/pushed");
    await inSandbox("cd by-git && git checkout -q pushed");
    const there = join(workspace, "by-git");
    expect(await hashOf(there, { asGit: true })).toBe(await hashOf(tree, { asGit: true }));

    const change = `chmod +x odd/modes/600 && git mv odd/lines "$(printf 'odd/\\377\\n x')" && ln -s ../many odd/links/more`;
    const commit = "git add -A && git -c user.name=a -c user.email=a@b commit -qm more";
    const treeId = await inSandbox(`cd by-git && ${change} && ${commit} && git rev-parse 'HEAD^{tree}'`);
    await byUser("clone", "-q", "--no-checkout", url, "cloned");
    expect(await byUser("-C", "cloned", "rev-parse", "HEAD^{tree}")).toBe(treeId);
    await byUser("-C", "cloned", "checkout", "-q", "HEAD", "--", "odd");
    expect(await listingOf(join(user.folder, "cloned/odd"), { asGit: true })).toEqual(
      await listingOf(join(there, "odd"), { asGit: true }),
    );
    await inSandbox("rm -rf by-git");
  });

  it.each(Object.entries<FileProgram>(filePrograms))(
    "goes and comes back by %s, but for 50,000 files, as it would to any server",
    async (program, { out, back, changes }) => {
      const odd = join(tree, "odd");
      const wanted = without(changes, await listingOf(odd));
      const trip = async (place: keyof typeof places) => {
        const there = far(place, `by ${program} ${place}`.replaceAll(" ", "-"));
        const here = join(folder, `from ${place} by ${program}`.replaceAll(" ", "-"));
        const ends = [
          await out(user, odd, places[place], there.told),
          await back(user, places[place], there.told, here),
        ];
        const made = { there: await listingOf(there.seen), here: await listingOf(here) };
        for (const listing of Object.values(made))
          expect(without(changes, listing), `${place}: ${ends.map(({ stderr }) => stderr)}`).toEqual(wanted);
        for (const root of [there.seen, here]) await rm(root, { recursive: true });
        return { codes: ends.map(({ code }) => code), ...made };
      };
      const measure = await trip("plain");
      for (const place of ["gateway", "direct"] as const) expect(await trip(place), place).toEqual(measure);
    },
  );

  it("goes by scp and comes back by sftp with its 50,000 files", async () => {
    const [there, here] = [far("direct", "many-by-scp"), join(folder, "many-by-sftp")];
    await mkdir(here);
    await inSandbox("mkdir many-by-scp");
    /** Four at a time, as each waits for an answer at every file: most go directly, which costs the machine least. */
    const inParts = async (carry: (host: string, folders: readonly number[]) => Promise<ProgramEnd>) => {
      const shares = [
        { host: places.gateway, folders: many.folders / 10 },
        ...Array.from({ length: 3 }, () => ({ host: places.direct, folders: (many.folders * 3) / 10 })),
      ];
      let next = 0;
      const carried = shares.map(({ host, folders }) =>
        carry(
          host,
          Array.from({ length: folders }, () => next++),
        ),
      );
      for (const { code, stderr } of await Promise.all(carried)) expect(code, stderr).toBe(0);
      expect(next).toBe(many.folders);
    };
    await inParts((host, folders) => {
      const sources = folders.map((name) => join(tree, "many", String(name)));
      return user.run("scp", ["-q", ...user.options, "-rp", ...sources, `${host}:${there.told}`], "", enough);
    });
    const wanted = await hashOf(join(tree, "many"));
    expect(await hashOf(there.seen)).toBe(wanted);
    await inParts((host, folders) => {
      const batch = folders.map((name) => `get -rp ${there.told}/${name} ${here}/${name}\n`).join("");
      return user.run("sftp", ["-q", ...user.options, "-b", "-", host], batch, enough);
    });
    expect(await hashOf(here)).toBe(wanted);
  });
});

const enough = { timeoutMs: 170_000 };
