import { describe, expect, test } from "vitest";
import { parseSettings } from "../src/settings/settings.ts";

const defaults = { dataDir: "/var/lib/berth" };
const proxmox = {
  PROXMOX_URL: "https://pve1:8006, https://pve2:8006/",
  PROXMOX_TOKEN_ID: "berth@pve!berth",
  PROXMOX_TOKEN_SECRET: "0123abcd-0123-0123-0123-0123456789ab",
};

function refusal(env: Record<string, string>): string {
  try {
    parseSettings(env, defaults);
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "";
}

describe("settings", () => {
  test("without any variable have their defaults", () => {
    const { settings, warnings } = parseSettings({ HOME: "/root" }, defaults);
    expect(settings).toMatchObject({
      host: "127.0.0.1",
      port: 7400,
      agentPort: 7401,
      sshPort: 7422,
      templateVmids: [150],
      dataDir: "/var/lib/berth",
      isolated: false,
      recording: true,
      backend: "auto",
    });
    expect(settings.proxmox).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test("are read from text", () => {
    const { settings } = parseSettings(
      {
        ...proxmox,
        BERTH_PORT: "0",
        BERTH_ISOLATED: "1",
        PROXMOX_VLAN: "7",
        ANTHROPIC_API_KEY: "sk",
        BERTH_PUBLIC_URL: "https://berth.lan",
      },
      defaults,
    );
    expect(settings.port).toBe(0);
    expect(settings.isolated).toBe(true);
    expect(settings.vlan).toBe(7);
    expect(settings.publicUrl?.origin).toBe("https://berth.lan");
    expect(settings.proxmox?.urls).toEqual(["https://pve1:8006", "https://pve2:8006"]);
    expect(settings.claude).toEqual({ variable: "ANTHROPIC_API_KEY", value: "sk" });
  });

  test("a fingerprint is kept without its colons", () => {
    const fingerprint = Array.from({ length: 32 }, () => "AB").join(":");
    const { settings } = parseSettings({ ...proxmox, PROXMOX_FINGERPRINT: fingerprint }, defaults);
    expect(settings.proxmox?.fingerprints).toEqual(["ab".repeat(32)]);
  });

  test("a size is one of those with a name, or numbers", () => {
    const sizeOf = (text?: string) => parseSettings(text === undefined ? {} : { BERTH_SIZE: text }, defaults).settings;
    expect(sizeOf().size).toEqual({ cores: 2, memoryMiB: 2048, diskGiB: 8 });
    expect(sizeOf("large").size).toEqual({ cores: 4, memoryMiB: 8192, diskGiB: 32 });
    expect(sizeOf("3,6000,40").size).toEqual({ cores: 3, memoryMiB: 6000, diskGiB: 40 });
    expect(parseSettings({ BERTH_MAX_CORES: "12" }, defaults).settings.limits).toMatchObject({ cores: 12 });
  });

  test("an empty variable counts as unset", () => {
    expect(parseSettings({ BERTH_PORT: "", PROXMOX_URL: "" }, defaults).settings.port).toBe(7400);
  });

  test.each([
    [
      { BERTH_PORT: "abc" },
      'BERTH_PORT is "abc", but it must be a port number from 1 to 65535, or 0 for any free one.',
    ],
    [{ BERTH_PORT: "70000" }, "BERTH_PORT is"],
    [{ BERTH_ISOLATED: "yes" }, "BERTH_ISOLATED is"],
    [{ BERTH_DATA_DIR: "data" }, "absolute path"],
    [{ BERTH_PUBLIC_URL: "ftp://x" }, "BERTH_PUBLIC_URL is"],
    [{ BERTH_PUBLIC_URL: "https://x/berth" }, "leave out the path"],
    [{ DATABASE_URL: "mysql://x" }, "DATABASE_URL is set"],
    [{ PROXMOX_URL: "http://pve:8006" }, "PROXMOX_URL is"],
    [{ PROXMOX_URL: "https://pve:8006" }, "PROXMOX_TOKEN_ID is not"],
    [{ PROXMOX_TOKEN_ID: "a@pam!b" }, "PROXMOX_URL is not"],
    [{ BERTH_SIZE: "huge" }, "BERTH_SIZE is"],
    [{ BERTH_MAX_SANDBOXES: "-1" }, "BERTH_MAX_SANDBOXES is"],
    [{ BERTH_SSH_PORT: "7400" }, "BERTH_PORT and BERTH_SSH_PORT are both 7400"],
    [{ ANTHROPIC_API_KEY: "a", ANTHROPIC_AUTH_TOKEN: "b" }, "keep one of them"],
  ])("%j is refused in one sentence", (env, sentence) => {
    const message = refusal(env as Record<string, string>);
    expect(message).toContain(sentence);
    expect(message).toMatch(/\.$/);
  });

  test("each bad value has its own sentence", () => {
    expect(refusal({ BERTH_PORT: "x", PROXMOX_VLAN: "0" }).split("\n")).toHaveLength(2);
  });

  test("a refused secret is not shown", () => {
    const message = refusal({ BERTH_ADMIN_PASSWORD: "short", PROXMOX_TOKEN_SECRET: "hunter2" });
    expect(message).toContain("BERTH_ADMIN_PASSWORD is set (5 characters, not shown)");
    expect(message).not.toMatch(/short\b|hunter2/);
  });

  test("misspelt names are warned of", () => {
    const { warnings } = parseSettings(
      { BERTH_PROT: "1", PROXMOX_TOKEN: "x", BERTH_CONFIG: "/x", OTHER: "y" },
      defaults,
    );
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toMatch(/BERTH_PROT.*PROXMOX_TOKEN/);
  });
});
