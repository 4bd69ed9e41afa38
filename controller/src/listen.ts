import { StartError } from "./settings/start-error.ts";

/** Listens, or throws a `StartError` that says in one sentence why that address cannot be had. */
export async function listenOrExplain<T>(
  place: { host: string; port: number; variable: string; what: string },
  listen: () => Promise<T>,
): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const where = `${place.host}:${place.port}`;
    const sentences: Record<string, string> = {
      EADDRINUSE: `${place.what} cannot listen on ${where}, which another program uses: stop that, or set ${place.variable} to a free port.`,
      EACCES: `${place.what} may not listen on ${where}: choose a port above 1023 with ${place.variable}.`,
      EADDRNOTAVAIL: `${place.what} cannot listen on ${where}, which is no address of this machine: correct BERTH_HOST.`,
      ENOTFOUND: `${place.what} cannot listen on "${place.host}", which is no address: correct BERTH_HOST.`,
    };
    const sentence = typeof code === "string" ? sentences[code] : undefined;
    if (!sentence) throw error;
    throw new StartError(sentence, { cause: error });
  }
}
