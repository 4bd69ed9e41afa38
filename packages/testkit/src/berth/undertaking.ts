import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import Type, { type Static } from "typebox";

/** One line to the undertaker. Without a folder: the process has ended. */
export const undertakingSchema = Type.Object({
  pid: Type.Integer({ minimum: 2 }),
  folder: Type.Optional(Type.String()),
});

let undertaker: ChildProcess | undefined;

/**
 * Has a controller ended in order, and its folder removed, if this process is gone before it is. `folder` is where its
 * data directory is in.
 */
export function entrust(pid: number, folder: string, ended: Promise<unknown>): void {
  tell({ pid, folder });
  ended.then(
    () => tell({ pid }),
    () => tell({ pid }),
  );
}

function tell(message: Static<typeof undertakingSchema>): void {
  undertaker ??= startUndertaker();
  undertaker.stdin?.write(`${JSON.stringify(message)}\n`);
}

function startUndertaker(): ChildProcess {
  const program = fileURLToPath(new URL("./undertaker.ts", import.meta.url));
  const { PATH = "", HOME = "" } = process.env;
  // A session of its own: the terminal's interrupt is not for it.
  const child = spawn(process.execPath, [program], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    env: { PATH, HOME },
  });
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  // It is told by the end of the pipe, and keeps nobody.
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  return child;
}
