import { BerthError } from "@berth/protocol";
import { SyncFailure } from "@berth/sync";
import { describe, expect, it } from "vitest";
import { HostKeyMismatch } from "../src/bootstrap/connect.ts";
import { sandboxError } from "../src/projects/failures.ts";
import { ScriptFailed } from "../src/projects/sandbox-repository.ts";
import { failureOf } from "../src/workspaces/present.ts";

/** As the connection of the controller's own finds it, before OpenSSH is asked. */
const mismatch = new HostKeyMismatch("10.0.0.1", "SHA256:other");

describe("a sandbox that shows another host key", () => {
  it("is why a sync has failed, whoever has found it", () => {
    expect(failureOf(mismatch)).toMatchObject({
      code: "sync_host_key_mismatch",
      message: /Another SSH host key is shown/,
      hint: /look before you connect/,
    });
    expect(failureOf(new Error("something else"))).toMatchObject({ code: "sync_failed" });
  });

  it.each([
    mismatch,
    new SyncFailure("host_key_mismatch", "another"),
    new ScriptFailed("Host key verification failed."),
  ])("is why git's work has failed: %s", (error) => {
    const told = sandboxError(error, "one");
    expect(told).toBeInstanceOf(BerthError);
    expect(told).toMatchObject({ message: 'The sandbox "one" shows another SSH host key than was pinned.' });
  });
});
