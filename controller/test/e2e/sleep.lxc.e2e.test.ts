import { guestUser, type Sandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SshUser as DirectUser } from "./real-sandbox.ts";
import { SleepingBerth, sleepAfterMs } from "./sleeping-berth.ts";
import { type SshUser, sshUser } from "./ssh-user.ts";

describe("a container that nobody uses", () => {
  let sleeping: SleepingBerth;
  let direct: DirectUser;
  let user: SshUser;
  let web: Sandbox;

  beforeAll(async () => {
    sleeping = await SleepingBerth.start();
    direct = await DirectUser.register(sleeping.berth);
    user = await sshUser(sleeping.berth);
    web = await sleeping.berth.readySandbox({ name: "web" });
  });
  afterAll(async () => {
    await user?.dispose();
    await direct?.dispose();
    await sleeping?.dispose();
  });

  const uses = async () => (await sleeping.seen(web.id)).idle.uses.map(({ kind }) => kind);

  it("sleeps by itself, and is woken by SSH through the gateway, as the machine that it was", async () => {
    await sleeping.inState(web.id, "asleep");
    const { code, stdout } = await user.ssh("web", ["--", "whoami; hostname"]);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: `${guestUser}\nweb\n` });
    expect(await sleeping.seen(web.id)).toMatchObject({ state: "ready", vmid: web.vmid, error: null });
  });

  it("stays awake while somebody is signed in directly, of which the gateway knows nothing", async () => {
    const seconds = (sleepAfterMs * 4) / 1_000;
    const over = direct.run(await sleeping.seen(web.id), `echo in; sleep ${seconds}; echo out`);
    await eventually(async () => (await uses()).includes("ssh") || undefined, { timeoutMs: 40_000 });
    await sleeping.staysReady(web.id, sleepAfterMs);
    expect(await over).toBe("in\nout");
  });

  it("stays awake for what was left running there", async () => {
    const here = await sleeping.seen(web.id);
    const work = "while [ ! -e /tmp/enough ]; do :; done";
    await direct.run(here, `rm -f /tmp/enough; nohup sh -c '${work}' >/dev/null 2>&1 & echo begun`);
    await eventually(async () => (await uses()).includes("job") || undefined, { timeoutMs: 40_000 });
    await sleeping.staysReady(web.id);
    await direct.run(here, "touch /tmp/enough");
  });
});
