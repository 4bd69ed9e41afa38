import {
  BerthError,
  type DoctorCheck,
  type ErrorCode,
  errorRegistry,
  type Node,
  type Orphan,
  snapshotNameSchema,
} from "@berth/protocol";
import type { Command } from "commander";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { obstaclesOf } from "../src/commands/adopt.ts";
import { shown as line } from "../src/commands/diff.ts";
import { verdictOf, wordsOf } from "../src/commands/doctor.ts";
import { conditionLines } from "../src/commands/fleet.ts";
import { wishOf } from "../src/commands/new.ts";
import { amissLines, avoidedLines, memoryOf, storageText } from "../src/commands/nodes.ts";
import { told as toldPool } from "../src/commands/pool.ts";
import { changeOf } from "../src/commands/set.ts";
import { nameOf, snapshotWish } from "../src/commands/snapshots.ts";
import { wishOf as syncWishOf } from "../src/commands/sync.ts";
import { candidates, type NameSource } from "../src/completion/candidates.ts";
import { readEnvironment } from "../src/environment.ts";
import { exitCodeOfFailure } from "../src/exit-codes.ts";
import { tell, wrongUsage } from "../src/failure.ts";
import { baseUrl } from "../src/http/base-url.ts";
import { ago } from "../src/output/ago.ts";
import { harmless } from "../src/output/style.ts";
import { table } from "../src/output/table.ts";
import { eachCommand, program } from "../src/program.ts";

describe("the address of a controller", () => {
  it("is its origin, with http and no path where nothing else is said", () => {
    expect(baseUrl("127.0.0.1:7400")).toBe("http://127.0.0.1:7400");
    expect(baseUrl("https://berth.lan/sandboxes/web?x#y")).toBe("https://berth.lan");
    for (const wrong of ["", "ftp://x", "http://user:secret@host", "http://"])
      expect(() => baseUrl(wrong)).toThrow(/not the address/);
  });
});

describe("a failure", () => {
  it("of work ends as a call that is refused for the same reason", () => {
    const codes = ["push_rejected", "forbidden", "remote_unavailable", "not_found", "in_use", "task_failed"];
    expect(codes.map(exitCodeOfFailure)).toEqual([5, 4, 6, 3, 5, 1]);
  });

  it("says each thing once, and what to do", () => {
    const fields = { name: "is required", cores: "must be <= 512" };
    const told = tell(new BerthError("invalid_request", "name: is required.", { fields }), "new");
    const [numbers, limits] = ["8 cores asked for, 6 used by others, 9 allowed", "The fleet's limit: "];
    const full = new BerthError("limit_exceeded", `${limits}${numbers}.`, { fields: { cores: numbers } });
    expect(tell(full, "new")?.failure.message).toBe(`${limits}${numbers}.`);
    expect(told).toEqual({
      failure: {
        code: "invalid_request",
        message: "name: is required. cores: must be <= 512.",
        hint: "See berth new --help.",
      },
      exitCode: 2,
    });
    expect(tell(new BerthError("not_found", "x"), "keys rm")?.failure.hint).toBe("berth keys lists them.");
    expect(tell(new BerthError("not_found", "x", { hint: "Look." }), "keys rm")?.failure.hint).toBe("Look.");
    expect(tell(new TypeError("a bug"))).toBeUndefined();
  });
});

describe("what is shown", () => {
  it("stands in columns, colours or not", () => {
    expect(
      table(
        ["A", "B"],
        [
          ["long", "x"],
          ["\x1b[32ms\x1b[39m", "y"],
        ],
      ),
    ).toBe("A     B\nlong  x\n\x1b[32ms\x1b[39m     y\n");
  });

  it("can do no harm to the terminal", () => {
    expect(harmless("a\x1b]0;owned\x07b\x1b[2Jc\r\nd\u009b5n")).not.toMatch(/\p{Cc}/u);
  });

  it("shows a patch without the sequences that its files hold", () => {
    expect(line("+\x1b]0;owned\x07\ttext", (_look, text) => text)).toBe("+\ufffd]0;owned\ufffd\ttext");
    expect(line("-gone", (look, text) => `${look}:${text}`)).toBe("red:-gone");
  });

  it("shows the room of a host: what is used, what was promised, and what its storages have free", () => {
    const gib = 1024 ** 3;
    const storage = { name: "ceph", type: "rbd", shared: true, totalBytes: 500 * gib, freeBytes: 80.25 * gib };
    expect(storageText(storage)).toBe("ceph* 80.3 of 500 GiB");
    expect(storageText({ ...storage, shared: false, totalBytes: null, freeBytes: null })).toBe("ceph");
    const node: Node = {
      ...{
        name: "pve1",
        online: true,
        maintenance: false,
        avoided: null,
        cpu: 0.1,
        cores: 8,
        uptimeSeconds: 5,
        sandboxes: 1,
      },
      ...{ memoryBytes: 16 * gib, memoryUsedBytes: 3 * gib, memoryPromisedBytes: 1.5 * gib },
      ...{ storages: [storage], templates: [{ vmid: 150, version: null }] },
    };
    expect(memoryOf(node)).toBe("3 + 1.5 of 16 GiB");
    expect(memoryOf({ ...node, memoryBytes: null })).toBe("");
    const avoided = { kind: "memory", reason: "1 of 16 GiB of memory are free and 2 GiB are needed" } as const;
    const told = avoidedLines([node, { ...node, avoided }, { ...node, avoided, online: false }]);
    expect(told).toBe("pve1 takes no new sandbox: 1 of 16 GiB of memory are free and 2 GiB are needed\n");
    const well: DoctorCheck = { id: "database", title: "Database", state: "ok", detail: "It answers.", fix: null };
    expect(amissLines([well])).toBe("");
    const amiss = { ...well, title: "VM.Clone on /vms", detail: "a@pve!b lacks it.", state: "failed" as const };
    expect(amissLines([well, amiss])).toBe(
      "\nfailed: VM.Clone on /vms: a@pve!b lacks it.\nWhat mends it: berth doctor\n",
    );
  });

  it("says of a sandbox why it failed, what somebody changed in Proxmox, and what waits for a restart", () => {
    const well = { name: "web", error: null, drift: [], restartNeeded: [] };
    expect(conditionLines([well])).toBe("");
    const error = { code: "container_missing", message: "The container 151 is gone.", hint: "Restore it." } as const;
    const changed = { ...well, drift: [{ setting: "cores" as const, wanted: 2, found: 7 }] };
    const waits = { ...well, restartNeeded: ["cores" as const] };
    expect(conditionLines([well, { ...well, error }, changed, waits])).toBe(
      "\nweb: The container 151 is gone. Restore it.\nweb: changed in Proxmox: cores is 7, not 2\nweb: from the next restart on: cores\n",
    );
  });

  it("says why a container cannot be adopted", () => {
    const orphan: Orphan = {
      ...{ vmid: 301, node: "pve1", sandboxId: "sbx_00000000000000000301", name: null, owner: null },
      ...{ template: null, power: "stopped", obstacle: null },
    };
    const told = obstaclesOf([orphan, { ...orphan, vmid: 302, obstacle: "Its node pve1 does not answer." }]);
    expect(told).toBe("302 cannot be adopted now. Its node pve1 does not answer.\n");
  });

  it("says how it stands with the warm pool, and why one failed", () => {
    expect(toldPool({ size: 3, ready: 1, filling: 1, failed: null })).toBe("1 of 3 ready, 1 being made\n");
    const reason = { code: "no_address", message: "It got no address.", hint: "Look at the bridge." };
    const told = toldPool({ size: 3, ready: 0, filling: 0, failed: { count: 2, reason } });
    expect(told).toBe("0 of 3 ready\n2 failed in a row: It got no address.\nLook at the bridge.\n");
  });

  it("says how long ago something was in one unit", () => {
    const then = "2026-01-01T00:00:00Z";
    const at = (seconds: number) => ago(then, Date.parse(then) + seconds * 1000);
    expect([at(-5), at(59), at(61), at(7200), at(90_000)]).toEqual(["0 s", "59 s", "1 min", "2 h", "1 d"]);
  });
});

describe("what the doctor found", () => {
  const check = (title: string, state: "ok" | "warning" | "failed", fix: string | null) => {
    return { id: title, title, state, detail: `${title} is so.`, fix };
  };
  const found = [
    check("Bridge", "ok", null),
    check("A", "failed", "pveum x\npveum y"),
    check("B", "warning", "pveum x\npveum y"),
  ];

  it("is a table, and below it once what mends several things", () => {
    const output = { quiet: false, style: (_look: unknown, text: string) => text, table };
    expect(wordsOf(found, output).split("\n").slice(1)).toEqual([
      "Bridge  ok       Bridge is so.",
      "A       failed   A is so.",
      "B       warning  B is so.",
      "",
      "A, B:",
      "  pveum x",
      "  pveum y",
      "",
    ]);
  });

  it("makes the command fail only where something has failed", () => {
    expect(verdictOf(found)).toBe(1);
    expect(verdictOf(found.filter(({ state }) => state !== "failed"))).toBeUndefined();
  });
});

describe("exit codes", () => {
  const code = (error: unknown) => tell(error)?.exitCode;

  it("follow what failed", () => {
    const expected: Partial<Record<ErrorCode, number>> = {
      unauthenticated: 4,
      forbidden: 4,
      not_found: 3,
      invalid_request: 2,
      name_taken: 5,
      sandbox_not_ready: 5,
      not_ready: 6,
      proxmox_unavailable: 6,
      internal: 1,
    };
    for (const name of Object.keys(errorRegistry)) {
      const known = Object.entries(expected).find(([one]) => one === name);
      if (known) expect(code(new BerthError(name as ErrorCode, "x")), name).toBe(known[1]);
    }
    expect(code(wrongUsage("x"))).toBe(2);
    expect(code(new TypeError("a bug"))).toBeUndefined();
  });
});

describe("the command line", () => {
  const root = program(async () => {});

  it("has help with examples for every command", () => {
    eachCommand(root, (command) => {
      expect(command.description(), command.name()).not.toBe("");
    });
    for (const command of root.commands.filter((one) => !one.name().startsWith("__"))) {
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help, command.name()).toContain(`berth ${command.name()}`);
      expect(help, command.name()).toContain("Examples:");
    }
  });

  it("reads what a sync is to do", async () => {
    const wanted = async (...args: string[]) => {
      let found: ReturnType<typeof syncWishOf> | undefined;
      await program(async (command: Command) => {
        found = syncWishOf(command);
      }).parseAsync(["sync", "web", ...args], { from: "user" });
      return found;
    };
    const filter = { excludes: [], gitignore: true, defaultExcludes: true, git: false };
    expect(await wanted("/src")).toEqual({ direction: "push", folder: "/src", dryRun: false, deletes: false, filter });
    expect(await wanted("/src", "--pull", "-n", "--delete", "--exclude", "*.log", "--no-gitignore")).toMatchObject({
      ...{ direction: "pull", dryRun: true, deletes: true },
      filter: { excludes: ["*.log"], gitignore: false },
    });
    // The version of one side comes from there, whatever the direction was.
    expect(await wanted("/src", "--take", "sandbox", "--file", "a")).toMatchObject({
      direction: "pull",
      resolve: { files: ["a"], as: "source" },
    });
    await expect(wanted("--file", "a")).rejects.toThrow(/go together/);
    await expect(wanted("--path", "relative")).rejects.toThrow(/--path/);
  });

  const wish = (...args: string[]) => {
    let found: ReturnType<typeof wishOf> | undefined;
    const line = program(async (command: Command) => {
      found = wishOf(command);
    });
    return line.parseAsync(["new", ...args], { from: "user" }).then(() => found);
  };

  it("reads what a new sandbox is to be", async () => {
    expect(await wish()).toEqual({});
    expect(await wish("--sleep-after", "45")).toEqual({ sleepAfterMinutes: 45 });
    expect(await wish("--size", "large", "--vlan", "20")).toEqual({ size: "large", vlan: 20 });
    const args = [
      "web",
      "--cores",
      "4",
      "--memory",
      "8G",
      "--disk",
      "40",
      "--env",
      "A=1",
      "--env",
      "B=x=y",
      "--no-start",
    ];
    expect(await wish(...args)).toEqual({
      name: "web",
      cores: 4,
      memoryMiB: 8192,
      diskGiB: 40,
      env: { A: "1", B: "x=y" },
      start: false,
    });
    expect(await wish("--git", "https://git.lan/app.git", "--branch", "main")).toEqual({
      workspace: { type: "git", url: "https://git.lan/app.git", branch: "main" },
    });
    expect(await wish("--folder", "/srv/app")).toEqual({ workspace: { type: "folder", path: "/srv/app" } });
    await expect(wish("--folder", "/srv/app", "--git", "x")).rejects.toThrow(/--git or of --folder/);
    await expect(wish("--branch", "main")).rejects.toThrow(/--git/);
    await expect(wish("--memory", "lots")).rejects.toThrow(/--memory/);
    await expect(wish("--env", "NAME")).rejects.toThrow(/--env/);
  });
});

it("reads what is to be changed of a sandbox", async () => {
  const change = async (...args: string[]) => {
    let found: ReturnType<typeof changeOf> | undefined;
    const line = program(async (command: Command) => {
      found = changeOf(command);
    });
    await line.parseAsync(["set", "web", ...args], { from: "user" });
    return found;
  };
  expect(await change("--cores", "4", "--memory", "8G", "--disk", "40")).toEqual({
    cores: 4,
    memoryMiB: 8192,
    diskGiB: 40,
  });
  expect(await change("--on-boot", "on", "--protection", "off", "--name", "api")).toEqual({
    onBoot: true,
    protection: false,
    name: "api",
  });
  expect(await change("--sleep-after", "2h")).toEqual({ sleepAfterMinutes: 120 });
  expect(await change("--sleep-after", "never")).toEqual({ sleepAfterMinutes: "off" });
  expect(await change("--sleep-after", "default")).toEqual({ sleepAfterMinutes: null });
  for (const wrong of ["0", "30s", "soon", "1.5h"])
    await expect(change("--sleep-after", wrong), wrong).rejects.toThrow(/--sleep-after needs/);
  expect(await change()).toEqual({});
});

it("takes the action on snapshots before the sandbox, too", () => {
  const create = { id: "web", action: "create", name: "early" };
  expect(snapshotWish(["web", "create", "early"])).toEqual(create);
  expect(snapshotWish(["create", "web", "early"])).toEqual(create);
  expect(snapshotWish(["ls", "web"])).toEqual({ id: "web", action: "ls", name: undefined });
  expect(snapshotWish(["web"])).toEqual({ id: "web", action: "ls", name: undefined });
  expect(snapshotWish(["create", "ls"]), "a sandbox of that name").toEqual({
    ...{ id: "create", action: "ls", name: undefined },
  });
  expect(() => snapshotWish(["web", "make"])).toThrow(/knows create, ls and rm/);
});

it("makes up a name for a snapshot that Proxmox takes", () => {
  expect(nameOf(new Date(Date.UTC(2026, 10, 21, 18, 4, 59)))).toBe("at-2026-11-21-18-04-59");
  expect(Value.Check(snapshotNameSchema, nameOf(new Date()))).toBe(true);
});

describe("completion", () => {
  const asked: string[] = [];
  const source =
    (kind: string, ...values: string[]) =>
    async () => {
      asked.push(kind);
      return values.map((value) => ({ value, description: kind }));
    };
  const names: NameSource = {
    sandboxes: source("sandbox", "web", "worker"),
    terminals: source("terminal", "trm_1"),
    profiles: source("profile", "lab"),
    keys: source("key", "key_1"),
    tokens: source("token", "tok_1"),
    kept: source("kept", "kept_1"),
    nodes: source("node", "pve1", "pve2"),
  };
  const offered = async (...words: string[]) =>
    (
      await candidates(
        program(async () => {}),
        words,
        names,
      )
    ).map(({ value }) => value);

  it("offers commands, options, and names where names stand", async () => {
    expect(await offered("sta")).toEqual(["start"]);
    expect(asked).toEqual([]);
    expect(await offered("stop", "web", "w")).toEqual(["web", "worker"]);
    expect(await offered("attach", "")).toEqual(["web", "worker", "trm_1"]);
    expect(await offered("new", "--c")).toEqual(["--cores"]);
    expect(await offered("snapshot", "we")).toEqual(["web"]);
    expect(await offered("snapshot", "web", "")).toEqual(["create", "ls", "rm"]);
    expect(await offered("snapshot", "create", "w")).toEqual(["web", "worker"]);
    expect(await offered("rollback", "")).toEqual(["web", "worker"]);
    expect(await offered("fork", "web", "--s")).toEqual(["--snapshot"]);
    expect(await offered("--profile", "")).toEqual(["lab"]);
    expect(await offered("--profile", "lab", "keys", "rm", "")).toEqual(["key_1"]);
    expect(await offered("new", "web", "--node", "pve")).toEqual(["pve1", "pve2"]);
    expect(await offered("new", "--size", "")).toEqual(["small", "medium", "large"]);
    expect(await offered("exec", "web", "--", "--")).toEqual([]);
    expect(await offered("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(await offered("git", "")).toEqual(["show", "push", "fetch", "worktree", "allow"]);
    expect(await offered("git", "push", "we")).toEqual(["web"]);
    expect(await offered("git", "allow", "web", "own")).toEqual(["own", "own-rewrite"]);
    expect(await offered("folder", "take", "web", "")).toEqual(["host", "sandbox", "both"]);
    expect(await offered("folder", "follow", "wo")).toEqual(["worker"]);
    expect(await offered("kept", "download", "k")).toEqual(["kept_1"]);
    expect(await offered("__com")).toEqual([]);
  });
});

it("takes an empty variable for none", () => {
  const environment = readEnvironment({ HOME: "/home/me", BERTH_URL: "", NO_COLOR: "1" }, "linux");
  expect(environment).toMatchObject({ configDir: "/home/me/.config/berth", url: undefined, plain: true });
  expect(readEnvironment({ HOME: "/h", XDG_CONFIG_HOME: "/c" }, "linux").configDir).toBe("/c/berth");
});
