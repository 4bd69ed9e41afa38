import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { proveDocker } from "../src/payload/prove-docker.ts";
import { shellcheck } from "./support/needs.ts";

it("the proof of Docker has nothing that shellcheck warns of", () => {
  expect(shellcheck(proveDocker)).toBe("");
});

it("the proof of Docker fails where there is no Docker, and says so", () => {
  const { status, stderr } = spawnSync("sh", ["-s"], {
    input: proveDocker,
    encoding: "utf8",
    env: { PATH: "/nowhere" },
  });
  expect(status).not.toBe(0);
  expect(stderr).not.toBe("");
});
