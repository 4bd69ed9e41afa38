import { describe, expect, it } from "vitest";
import { unitFile, unitLink, unitPath, units } from "../src/index.ts";

const [ptyHost = "", agent = ""] = units.map(unitFile);

function values(file: string, key: string): string[] {
  return file.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

describe("the units' files", () => {
  it("start the programs once the bootstrap has configured them, and never give up", () => {
    for (const file of [ptyHost, agent]) {
      expect(values(file, "ConditionPathExists")).toEqual(["/etc/berth/agent.json"]);
      expect(values(file, "Type")).toEqual(["notify"]);
      expect(values(file, "Restart")).toEqual(["always"]);
      expect(values(file, "StartLimitIntervalSec")).toEqual(["0"]);
      expect(values(file, "User")).toEqual(["berth"]);
    }
    expect(values(agent, "After")).toEqual(["berth-pty-host.service network.target"]);
    expect(values(agent, "ExecStart")).toEqual(["/usr/lib/berth/node/bin/node /usr/lib/berth/agent.mjs"]);
  });

  it("narrow nothing of what the programs in the terminals may do", () => {
    const narrowing =
      /^(NoNew|Private|Protect|Restrict|SystemCall|Capability|Memory|ReadOnly|Inaccessible|Lock|UMask)/m;
    expect(ptyHost).not.toMatch(narrowing);
    expect(agent).toMatch(narrowing);
    expect(values(ptyHost, "OOMPolicy")).toEqual(["continue"]);
  });

  it("leave the host's programs to the host, and its wedging to the agent", () => {
    expect(values(ptyHost, "KillMode")).toEqual(["mixed"]);
    expect(values(ptyHost, "WatchdogSec")).toEqual([]);
    expect(values(agent, "WatchdogSec")).toEqual(["30"]);
  });

  it("lie where systemd looks, and are started at each boot", () => {
    expect(units.map(unitPath)).toEqual([
      "etc/systemd/system/berth-pty-host.service",
      "etc/systemd/system/berth-agent.service",
    ]);
    expect(units.map(unitLink)[1]).toEqual({
      path: "etc/systemd/system/multi-user.target.wants/berth-agent.service",
      target: "/etc/systemd/system/berth-agent.service",
    });
  });
});
