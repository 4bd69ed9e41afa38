import type { ChannelBytes } from "@berth/protocol/link";
import type { Git } from "../git.ts";
import type { View } from "./view.ts";

/** One fetch of a sandbox's, which may be slow to take what it gets. */
const fetchMs = 60 * 60_000;
/** Git needs memory for what it packs. */
const maxMemoryBytes = 4 * 1024 ** 3;

/** Speaks with a `git fetch` in a sandbox, to its end. Rejects with what broke it off. */
export async function serveFetch(git: Git, view: View, bytes: ChannelBytes): Promise<void> {
  const args = ["upload-pack", "--strict", "--", view.folder];
  const program = await git.stream({ args, signal: bytes.signal, timeoutMs: fetchMs, maxMemoryBytes });
  try {
    void listen(bytes, (chunk) => program.write(chunk)).then(
      () => program.endInput(),
      (error: unknown) => program.end(error),
    );
    bytes.tellReady();
    for await (const chunk of program.output()) await bytes.write(chunk);
    await program.ended;
  } finally {
    program.end(new Error("the conversation has ended"));
  }
}

async function listen(bytes: ChannelBytes, tell: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  for await (const chunk of bytes.read()) await tell(chunk);
}
