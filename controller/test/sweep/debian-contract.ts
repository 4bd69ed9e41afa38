import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { Scope, systemClock } from "@berth/base";
import { type SshKeyPair, sshKeyPair } from "@berth/base/node";
import { parseJson } from "@berth/protocol";
import { type ContainerRef, ProxmoxClient } from "@berth/proxmox";
import type { RunningEmulator } from "@berth/pve-emulator";
import {
  fetchedParts,
  type Payload,
  parseProvisionLine,
  payloadArchive,
  provisionScript,
  templateFactsSchema,
  templatePaths,
  unpackCommand,
} from "@berth/template";
import { eventually } from "@berth/testkit";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectSsh, HostKeyMismatch } from "../../src/bootstrap/connect.ts";
import { hostKeysOf } from "../../src/templates/host-keys.ts";
import { runRemote } from "../../src/templates/remote-command.ts";
import { provisionCommand } from "../../src/templates/steps/provision.ts";
import { accessTo } from "./world/controller.ts";

/** A Proxmox whose containers of Debian are looked at. */
export interface DebianSubject {
  readonly emulator: RunningEmulator;
  readonly sshPort: number;
  readonly payload: Payload;
  close(): Promise<void>;
}

const at: ContainerRef = { node: "pve", vmid: 301 };
const version = "the-version";
const key = (comment: string): SshKeyPair => sshKeyPair(randomBytes(32), comment);
const [fleet, bootstrapHost, bootstrapClient] = [key("fleet"), key("host"), key("client")];
const script = provisionScript({
  optional: fetchedParts,
  version,
  bootstrap: { hostPrivateKey: bootstrapHost.privateKey, clientPublicKey: bootstrapClient.publicKey },
});

/** What a template's build relies on of a container that is made of Debian's own template: real ones, and stand-ins. */
export function describeDebian(name: string, open: () => Promise<DebianSubject>, timeoutMs: number): void {
  describe(name, { timeout: timeoutMs }, () => {
    const scope = new Scope();
    let subject: DebianSubject;
    let host: string;
    let hostKeys: string[];

    beforeAll(async () => {
      subject = await open();
      scope.add(() => subject.close());
      const client = scope.own(new ProxmoxClient(accessTo(subject.emulator)));
      ({ host, hostKeys } = await makeContainer(client, subject.emulator));
    }, timeoutMs);
    afterAll(() => scope.dispose(), timeoutMs);

    const signIn = (hostKeyFingerprints: readonly string[], { privateKey }: SshKeyPair) =>
      connectSsh({ host, port: subject.sshPort, username: "root", hostKeyFingerprints, privateKeys: [privateKey] });

    /** Runs a command as a build does. */
    async function run(command: string, as: SshKeyPair, input?: Readable) {
      const connection = await signIn([...hostKeys, bootstrapHost.fingerprint], as);
      const lines: string[] = [];
      const onLine = (line: string) => lines.push(line);
      const { signal } = new AbortController();
      try {
        const common = { clock: systemClock, signal, silenceMs: timeoutMs, onLine };
        const code = await runRemote(connection, command, input ? { ...common, input } : common);
        return { code, lines, meanings: lines.map(parseProvisionLine) };
      } finally {
        connection.close();
      }
    }
    const provision = (as: SshKeyPair) => run(provisionCommand, as, Readable.from([script]));
    const facts = (as: SshKeyPair) => run(`cat /${templatePaths.facts}`, as);

    it("shows a host key that the log of its making names, and lets nobody in but the key that it was made with", async () => {
      (await signIn(hostKeys, fleet)).close();
      await expect(signIn([bootstrapHost.fingerprint], fleet)).rejects.toThrow(HostKeyMismatch);
      await expect(signIn(hostKeys, bootstrapClient)).rejects.toThrow(/authentication/i);
    });

    it("has nothing of Berth's, and does not become a template without it", async () => {
      expect((await facts(fleet)).code).not.toBe(0);
      const { code, meanings } = await provision(fleet);
      expect(code).not.toBe(0);
      expect(meanings).toContainEqual({ kind: "failed", reason: "unpack the payload first" });
    });

    it("does nothing of a script that is cut short", async () => {
      const cut = await run(provisionCommand, fleet, Readable.from([script.slice(0, script.length / 2)]));
      expect(cut.code).not.toBe(0);
      expect(cut.meanings.filter((meaning) => meaning !== undefined)).toEqual([]);
    });

    it("becomes a template that shows the bootstrap's host key and lets no other key than the bootstrap's in", async () => {
      expect((await run(unpackCommand, fleet, payloadArchive(subject.payload))).code).toBe(0);
      const { code, meanings } = await provision(fleet);
      expect(code).toBe(0);
      expect(meanings.filter((meaning) => meaning?.kind === "done")).toHaveLength(1);
      (await signIn([bootstrapHost.fingerprint], bootstrapClient)).close();
      await expect(signIn([bootstrapHost.fingerprint], fleet)).rejects.toThrow(/authentication/i);
    });

    it("says what is in it", async () => {
      const { code, lines } = await facts(bootstrapClient);
      expect(code).toBe(0);
      expect(Value.Parse(templateFactsSchema, parseJson(lines.join("\n")))).toMatchObject({ version });
    });

    it("may be made a template once more", async () => {
      expect((await provision(bootstrapClient)).code).toBe(0);
      (await signIn([bootstrapHost.fingerprint], bootstrapClient)).close();
    });
  });
}

/** Makes a container and starts it; answers its address, and its host keys as the log of its making names them. */
async function makeContainer(client: ProxmoxClient, { pool, storage, bridge }: RunningEmulator) {
  const done = async (begin: Promise<string>) => {
    const lines: string[] = [];
    const result = await client.tasks.wait(await begin, { onLog: (line) => void lines.push(line) });
    expect(result, lines.join("\n")).toMatchObject({ ok: true });
    return lines;
  };
  const [offered] = await client.nodes.applianceTemplates(at.node);
  const template = offered?.template ?? "";
  await done(client.nodes.downloadTemplate(at.node, { storage: "local", template }));
  const made = await done(
    client.containers.create(at.node, {
      ...{ vmid: at.vmid, pool, storage, cores: 2, memoryMiB: 2048, swapMiB: 512, diskGiB: 8 },
      ...{ osTemplate: `local:vztmpl/${template}`, hostname: "debian", description: "", unprivileged: true },
      ...{ features: "nesting=1", net0: `name=eth0,bridge=${bridge},ip=dhcp`, sshPublicKeys: [fleet.publicKey] },
    }),
  );
  await done(client.containers.start(at));
  const host = await eventually(
    async () => {
      const addresses = await client.containers.addresses(at);
      return addresses.find(({ interface: name, family }) => name === "eth0" && family === 4)?.address;
    },
    { timeoutMs: 60_000 },
  );
  return { host, hostKeys: hostKeysOf(made) };
}
