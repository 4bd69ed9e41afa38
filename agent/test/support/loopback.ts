import { type Channel, Multiplexer } from "@berth/protocol/link";

/** Two ends of a link in one process; each frame arrives in a turn of its own, in order. */
export function loopback(onOpen: (channel: Channel, kind: string, params: unknown) => void): {
  dialler: Multiplexer;
  close(): void;
} {
  const ends: { dialler: Multiplexer | undefined; listener: Multiplexer | undefined } = {
    dialler: undefined,
    listener: undefined,
  };
  const dialler = new Multiplexer({
    side: "dialler",
    send: (frame) => queueMicrotask(() => ends.listener?.receive(frame)),
    onControl: () => {},
  });
  const listener = new Multiplexer({
    side: "listener",
    send: (frame) => queueMicrotask(() => ends.dialler?.receive(frame)),
    onControl: () => {},
    onOpen,
  });
  ends.dialler = dialler;
  ends.listener = listener;
  const close = () => {
    dialler.close();
    listener.close();
  };
  return { dialler, close };
}
