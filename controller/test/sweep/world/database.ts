import type { Socket } from "node:net";
import { Kysely, PostgresDialect, type PostgresPoolClient } from "kysely";
import pg from "pg";
import type { Database } from "../../../src/store/tables.ts";
import type { Lifeline } from "./lifeline.ts";
import type { QuietClock } from "./quiet-clock.ts";

/** A controller's connections to PostgreSQL, which can be cut as if its process had been killed. */
export interface MortalDatabase {
  readonly db: Kysely<Database>;
  readonly pool: pg.Pool;
  cut(): void;
  close(): Promise<void>;
}

/** Connects as a controller does. Every write passes the lifeline: whole transactions at their commit. */
export function openMortalDatabase(url: string, clock: QuietClock, lifeline: Lifeline): MortalDatabase {
  const pool = new pg.Pool({ connectionString: url, max: 8, types: numbersForBigints() });
  const sockets = new Set<Socket>();
  pool.on("error", () => {});
  pool.on("connect", (client) => {
    client.on("error", () => {});
    const socket = socketOf(client);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  /** Work that no time passes in, as long as there is somebody who waits for it; of the dead nobody hears again. */
  const outside: Outside = async (work) => {
    try {
      return await clock.during(() => lifeline.race(work()));
    } finally {
      await lifeline.hold();
    }
  };
  const connect = async (): Promise<PostgresPoolClient> => {
    await lifeline.hold();
    return mortal(await outside(() => pool.connect()), outside, lifeline);
  };
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: { connect, end: async () => {}, options: pool.options } }),
  });
  return {
    db,
    pool,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () => pool.end(),
  };
}

type Outside = <T>(work: () => Promise<T>) => Promise<T>;

/** A connection whose statements are outside work of the clock's, and pass the lifeline where they write. */
function mortal(client: pg.PoolClient, outside: Outside, lifeline: Lifeline): PostgresPoolClient {
  let writes: string[] | undefined;
  const query = async (text: string, values: readonly unknown[]) => {
    await lifeline.hold();
    const answer = await outside(() => client.query(text, [...values]));
    if (text === "begin") writes = [];
    const write = /^(insert into|update|delete from) "(\w+)"/.exec(text);
    const place = write && `${write[1]?.split(" ")[0]} ${write[2]}`;
    if (place && writes) writes.push(place);
    else if (place) await lifeline.pass(`after ${place}`);
    if (text === "commit" && writes) {
      const all = [...new Set(writes)].join(", ");
      writes = undefined;
      await lifeline.pass(`after ${all}`);
    }
    await lifeline.hold();
    return answer;
  };
  // Kysely only ever gives text and values, and reads rows and their count.
  return { query, release: () => client.release() } as unknown as PostgresPoolClient;
}

function socketOf(client: pg.PoolClient): Socket {
  const { connection } = client as unknown as { connection: { stream: Socket } };
  return connection.stream;
}

function numbersForBigints(): pg.CustomTypesConfig {
  const overrides = new pg.TypeOverrides();
  overrides.setTypeParser(pg.types.builtins.INT8, Number);
  return overrides;
}
