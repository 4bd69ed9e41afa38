import { describe, expect, it } from "vitest";
import { FleetKeys } from "../src/fleet/keys.ts";
import { describeOwner } from "../src/fleet/ownership.ts";
import { hostKeysOf } from "../src/templates/host-keys.ts";
import { describeTemplate, readTemplateMark, type TemplateStatement } from "../src/templates/mark.ts";

const listener = { certificate: "", privateKey: "" };
const keys = new FleetKeys(Buffer.alloc(32, 1), listener);
const others = new FleetKeys(Buffer.alloc(32, 2), listener);
const statement: TemplateStatement = {
  id: "tpl_0123456789abcdefghij",
  vmid: 150,
  state: "ready",
  version: "0123456789abcdef",
  skipped: [{ name: "docker", reason: "no mirror: über kurz oder lang" }],
  builtAt: 1_700_000_000_000,
};

describe("the mark of a template", () => {
  it("is read back with all that it says, also with the newline that Proxmox adds", () => {
    const description = describeTemplate(keys, statement);
    expect(readTemplateMark(keys, `${description}\n`, 150)).toEqual({ kind: "ours", statement });
  });

  it("is nobody's in a copy, in another fleet, and when a letter of it was changed", () => {
    const description = describeTemplate(keys, statement);
    expect(readTemplateMark(keys, description, 151).kind).toBe("foreign");
    expect(readTemplateMark(others, description, 150).kind).toBe("foreign");
    const changed = description.replace(
      /:([A-Za-z0-9_-])([^:]*)$/,
      (_, first, rest) => `:${first === "A" ? "B" : "A"}${rest}`,
    );
    expect(readTemplateMark(keys, changed, 150).kind).toBe("foreign");
  });

  it("is not a sandbox's, nor any other text", () => {
    expect(
      readTemplateMark(keys, describeOwner(keys, "sbx_0123456789abcdefghij", 150, { name: "web", owner: "ada" }), 150)
        .kind,
    ).toBe("unmarked");
    expect(readTemplateMark(keys, "Debian 12", 150).kind).toBe("unmarked");
    expect(readTemplateMark(keys, undefined, 150).kind).toBe("unmarked");
  });

  it("fits into what Proxmox takes, however much was left out and why", () => {
    const skipped = Array.from({ length: 40 }, (_, index) => ({ name: `part-${index}`, reason: "x".repeat(500) }));
    const description = describeTemplate(keys, { ...statement, skipped });
    expect(description.length).toBeLessThan(8192);
    expect(readTemplateMark(keys, description, 150)).toMatchObject({ kind: "ours", statement: { id: statement.id } });
  });

  it("gives every template keys of its own, and always the same", () => {
    const { host, client } = keys.templateKeys(statement.id);
    expect(keys.templateKeys(statement.id).host.fingerprint).toBe(host.fingerprint);
    const all = [host, client, ...Object.values(keys.templateKeys("tpl_00000000000000000000")), keys.sshClient];
    expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(all.length);
  });
});

describe("the SSH host keys in the log of a container's making", () => {
  const rsa = `SHA256:${"a".repeat(43)}`;
  const ed25519 = `SHA256:${"b".repeat(43)}`;

  it("are read with the kind before them, the last of each kind", () => {
    const log = [
      "extracting archive '/var/lib/vz/template/cache/debian-12-standard_12.7-1_amd64.tar.zst'",
      "Detected container architecture: amd64",
      "Creating SSH host key 'ssh_host_rsa_key' - this may take some time ...",
      `done: SHA256:${"c".repeat(43)} root@other`,
      "Creating SSH host key 'ssh_host_rsa_key' - this may take some time ...",
      `done: ${rsa} root@berth-template`,
      "Creating SSH host key 'ssh_host_ed25519_key' - this may take some time ...",
      `done: ${ed25519} root@berth-template`,
      "TASK OK",
    ];
    expect(hostKeysOf(log)).toEqual([rsa, ed25519]);
  });

  it("are none where Proxmox made none", () => {
    expect(hostKeysOf([])).toEqual([]);
    expect(
      hostKeysOf([`done: ${rsa} root@somewhere`, "Creating SSH host key 'ssh_host_rsa_key'", "done: nothing"]),
    ).toEqual([]);
  });
});
