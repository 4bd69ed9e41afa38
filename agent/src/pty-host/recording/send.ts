import { setImmediate } from "node:timers/promises";
import type { Channel } from "@berth/protocol/link";

/**
 * Sends a recording over a channel, as its credit allows, and closes it behind the last byte. Ends early if the peer
 * closes. Between two portions everything else has its turn. Rejects if the recording cannot be read.
 */
export async function sendRecording(channel: Channel, recording: AsyncIterable<Uint8Array>): Promise<void> {
  let wake = () => {};
  channel.handle({ onCredit: () => wake(), onClose: () => wake() });
  for await (const portion of recording) {
    while (!channel.closed && channel.creditBytes <= 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (channel.closed) return;
    channel.send(portion);
    await setImmediate();
  }
  channel.close();
}
