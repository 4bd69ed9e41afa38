import { after, type Clock } from "@berth/base";
import { type Channel, type CloseReason, linkLimits } from "@berth/protocol/link";

/** For the bytes, their unpacking, and the start of each program for a look. */
const timeoutMs = 120_000;
const chunkBytes = 64 * 1024;
/** Less than the channel's window, since a terminal's input waits behind it in the link's socket. */
const leftBytes = linkLimits.channelWindowBytes / 2;

/**
 * Sends an archive over a channel of `programsChannelKind`, and answers how the agent closed it: without a code when the
 * version is installed there. Never rejects.
 */
export function sendPrograms(channel: Channel, archive: Uint8Array, clock: Clock): Promise<CloseReason> {
  return new Promise((resolve) => {
    let sent = 0;
    const send = () => {
      while (sent < archive.byteLength && channel.creditBytes > leftBytes) {
        const chunk = archive.subarray(sent, sent + chunkBytes);
        // Before it goes: the credit for it may come during the call.
        sent += chunk.byteLength;
        channel.send(chunk);
      }
    };
    const stopWaiting = after(clock, timeoutMs, () => {
      channel.close({ code: "cancelled" });
      resolve({ code: "timeout", detail: "it did not answer in time" });
    });
    channel.handle({
      onCredit: send,
      onClose: (reason) => {
        stopWaiting();
        resolve(reason);
      },
    });
    send();
  });
}
