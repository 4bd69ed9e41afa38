import { after, type Clock } from "@berth/base";
import type { OpenSocket } from "@berth/protocol/viewer";
import { WebSocket } from "ws";
import { type Trust, tlsOptions } from "./trust.ts";

/** The server pings every 30 s: after more than two of those the connection is dead, whatever the kernel believes. */
const silenceMs = 75_000;

export interface SocketTarget {
  readonly baseUrl: string;
  readonly token: string;
  readonly trust: Trust;
  readonly clock: Clock;
}

/** Opens WebSockets to a controller, each held to its trust. */
export function socketOpener({ baseUrl, token, trust, clock }: SocketTarget): OpenSocket {
  return (path, events) => {
    const url = new URL(path, baseUrl);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      ...(url.protocol === "wss:" ? tlsOptions(trust) : {}),
    });
    socket.binaryType = "arraybuffer";
    let callOff = () => {};
    const heard = () => {
      callOff();
      callOff = after(clock, silenceMs, () => socket.terminate());
    };
    heard();
    socket.on("ping", heard);
    socket.on("message", (data, isBinary) => {
      heard();
      events.onMessage(isBinary ? data : data.toString());
    });
    // "close" follows each error.
    socket.on("error", () => {});
    socket.once("close", (code, reason) => {
      callOff();
      events.onClose(code, reason.toString("utf8"));
    });
    return {
      send: (data) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(data);
      },
      close: () => socket.close(),
    };
  };
}
