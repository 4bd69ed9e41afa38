import { createHash } from "node:crypto";
import { tmpdir, userInfo } from "node:os";
import Type from "typebox";
import { Compile } from "typebox/compile";

/**
 * The address where the shared PostgreSQL's keeper listens: a Linux abstract socket, so that exactly one keeper can
 * hold it, and none is left behind by one that was killed. One a user and temporary folder.
 */
export function keeperAddress(): string {
  const place = `${userInfo().uid}:${tmpdir()}:${import.meta.url}`;
  return `\0berth-testkit-postgres-${createHash("sha256").update(place).digest("hex").slice(0, 16)}`;
}

/** The one line that the keeper sends to each client once PostgreSQL answers. */
export const keeperGreeting = Compile(
  Type.Union([Type.Object({ url: Type.String() }), Type.Object({ error: Type.String() })]),
);
