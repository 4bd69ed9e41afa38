import type { AuthContext, Connection } from "ssh2";
import type { People, SignedIn } from "./people.ts";
import type { Transport } from "./transport.ts";
import { banner } from "./wire.ts";

/** Offers of keys, and of anything else; an agent may hold a dozen keys. */
const maxAttempts = 20;

/** What a client has signed in as. */
export interface Authenticated extends SignedIn {
  readonly username: string;
}

/**
 * Signs a client in by public key, and by nothing else; whoever has proved a key is shown the greeting, if there is one
 * for him, before he is in. Answers once it is in; undefined if it gave up or tried too
 * often. Never rejects.
 */
export function authenticate(
  client: Connection,
  transport: Transport,
  people: People,
  greeting: (who: Authenticated) => Promise<string | undefined>,
): Promise<Authenticated | undefined> {
  return new Promise((resolve) => {
    let attempts = 0;
    let last: Authenticated | undefined;
    client.on("authentication", (offer: AuthContext) => {
      // Everybody asks first which methods there are.
      if (offer.method !== "none") attempts += 1;
      if (attempts > maxAttempts) {
        transport.end("Too many keys were offered: name the right one (IdentitiesOnly yes, IdentityFile)");
        return;
      }
      if (offer.method !== "publickey") return offer.reject(["publickey"]);
      people
        .identify(offer)
        .then(async (signedIn) => {
          if (!signedIn) return offer.reject(["publickey"]);
          if (offer.signature !== undefined) {
            last = { ...signedIn, username: offer.username };
            const line = await greeting(last).catch(() => undefined);
            if (line !== undefined) transport.send(banner(line));
          }
          offer.accept();
        })
        .catch(() => offer.reject(["publickey"]));
    });
    client.once("ready", () => resolve(last));
    client.once("close", () => resolve(undefined));
  });
}
