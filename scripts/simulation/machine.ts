import type { World } from "./world.ts";

/** The world that programs find themselves in, where they would find the machine. */
let current: World | undefined;

/** Sets the world; undefined between two. */
export function enter(world: World | undefined): void {
  current = world;
}

function world(): World {
  if (!current) throw new Error("there is no simulated world");
  return current;
}

type Promises = World["disk"]["promises"];

/** In place of `node:fs/promises`. */
export const fileSystem = {
  mkdir: (...args: Parameters<Promises["mkdir"]>) => world().disk.promises.mkdir(...args),
  readdir: (...args: Parameters<Promises["readdir"]>) => world().disk.promises.readdir(...args),
  readFile: (...args: Parameters<Promises["readFile"]>) => world().disk.promises.readFile(...args),
  stat: (...args: Parameters<Promises["stat"]>) => world().disk.promises.stat(...args),
  rename: (...args: Parameters<Promises["rename"]>) => world().disk.promises.rename(...args),
  rm: (...args: Parameters<Promises["rm"]>) => world().disk.promises.rm(...args),
  open: (...args: Parameters<Promises["open"]>) => world().disk.promises.open(...args),
};

/** In place of the agent's dialling. */
export const dialController = () => world().dialController();

/** In place of `connect` of `node:net`. */
export const connect = () => world().dialPtyHost();
