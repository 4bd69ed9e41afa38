import { expect, it } from "vitest";
import { buildProgress } from "../src/base/build-progress.ts";

it("tells the phases of a build and what there is to know, and of the rest a sign of life now and then", () => {
  let now = 0;
  const told: string[] = [];
  const hear = buildProgress((line) => told.push(line), { now: () => now });
  const say = (line: string, afterMs = 1_000) => {
    now += afterMs;
    hear(line);
  };
  say("I: chroot architecture amd64 is equal to the host's architecture");
  say("I: downloading packages with apt...");
  for (let turn = 0; turn < 40; turn += 1) say(`Get:${turn} http://mirror.example bookworm/main`);
  say("berth-step: docker");
  say("curl: (6) Could not resolve host", 500);
  say("berth-skipped: lazygit: https://github.com cannot be reached");
  say("berth-done");
  say("", 60_000);
  expect(told).toEqual([
    "downloading packages with apt",
    "Get:14 http://mirror.example bookworm/main",
    "Get:29 http://mirror.example bookworm/main",
    "adding docker",
    "goes without lazygit: https://github.com cannot be reached",
  ]);
});
