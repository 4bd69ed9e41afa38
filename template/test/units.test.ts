import { describe, expect, it } from "vitest";
import { unitFiles, unitLink, units } from "../src/index.ts";

const [ptyHost = "", socket = "", agent = ""] = units.flatMap(unitFiles).map(({ text }) => text);

function values(file: string, key: string): string[] {
  return file.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

describe("the units' files", () => {
  it("never give a program up, and run it as the user of the terminals", () => {
    for (const file of [ptyHost, agent]) {
      expect(values(file, "Restart")).toEqual(["always"]);
      expect(values(file, "StartLimitIntervalSec")).toEqual(["0"]);
      expect(values(file, "User")).toEqual(["berth"]);
    }
    expect(values(socket, "TriggerLimitIntervalSec")).toEqual(["0"]);
  });

  it("start the agent once the bootstrap has configured it, and it tells when it is ready", () => {
    expect(values(agent, "ConditionPathExists")).toEqual(["/etc/berth/agent.json"]);
    expect(values(agent, "Type")).toEqual(["notify"]);
    expect(values(agent, "ExecStart")).toEqual(["/usr/lib/berth/node/bin/node /usr/lib/berth/launch.mjs agent"]);
  });

  it("start the host with the first connection to its socket, which is the user's alone", () => {
    expect(values(ptyHost, "WantedBy")).toEqual([]);
    // A start that a condition refused would be repeated without an end for whoever waits at the socket.
    expect(ptyHost).not.toMatch(/^(Condition|Assert)/m);
    expect(values(socket, "ListenStream")).toEqual(["/run/berth/pty.sock"]);
    expect(values(socket, "SocketUser")).toEqual(["berth"]);
    expect(values(socket, "SocketMode")).toEqual(["0600"]);
    // As standard input, too: the only descriptors that stay open when another version of the host takes over.
    expect(values(ptyHost, "StandardInput")).toEqual(["fd:berth-pty-host.socket"]);
    expect(values(ptyHost, "StandardOutput")).toEqual(["journal"]);
    expect(values(agent, "Wants")).toEqual(["berth-pty-host.socket"]);
    // The agent stops first: it must not tell of terminals that end with the container.
    expect(values(agent, "After")).toEqual(["berth-pty-host.socket berth-pty-host.service network.target"]);
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
    expect(units.flatMap(unitFiles).map(({ path }) => path)).toEqual([
      "etc/systemd/system/berth-pty-host.service",
      "etc/systemd/system/berth-pty-host.socket",
      "etc/systemd/system/berth-agent.service",
    ]);
    expect(units.map(unitLink)).toEqual([
      {
        path: "etc/systemd/system/sockets.target.wants/berth-pty-host.socket",
        target: "/etc/systemd/system/berth-pty-host.socket",
      },
      {
        path: "etc/systemd/system/multi-user.target.wants/berth-agent.service",
        target: "/etc/systemd/system/berth-agent.service",
      },
    ]);
  });
});
