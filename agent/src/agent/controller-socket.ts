import { X509Certificate } from "node:crypto";
import { Agent } from "node:https";
import type { Socket } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import type { AgentConfig } from "@berth/protocol";
import { agentLinkPath, linkLimits } from "@berth/protocol/link";
import { WebSocket } from "ws";

/**
 * How long TCP may take to connect, in milliseconds. While the network is gone its packets are just dropped, and TCP
 * repeats them after 1, 3 and 7 seconds: past the second a new attempt is sooner there.
 */
const connectTimeoutMs = 3_500;
/** How long the controller may take to show its certificate when it is only looked for, in milliseconds. */
const lookTimeoutMs = 5_000;

/** The controller refused this sandbox: its secret is no longer valid, or the versions do not fit. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Close codes of the controller's that no quick repetition will change. */
export function isRefusal(closeCode: number): boolean {
  return closeCode >= 4000 && closeCode < 4100;
}

/**
 * The controller's certificate is the only one accepted: it is the only CA, and the server must present it itself. The
 * name in it does not matter, since the address that containers use may be any.
 */
function pinnedTo({ controllerCertificate }: AgentConfig): Pick<ConnectionOptions, "ca" | "checkServerIdentity"> {
  const pinned = new X509Certificate(controllerCertificate).fingerprint256;
  return {
    ca: controllerCertificate,
    checkServerIdentity: (_host, certificate) =>
      certificate.fingerprint256 === pinned
        ? undefined
        : new Error("the controller's certificate is not the pinned one"),
  };
}

/**
 * Whether the controller is there: it shows its certificate. TCP alone says too little, since a proxy takes connections
 * for a controller that is away, and so does the kernel for one that is stopped. Nothing is said to it. Never rejects.
 */
export function isControllerThere(config: AgentConfig): Promise<boolean> {
  const { hostname, port } = new URL(config.controllerUrl);
  // Of an IPv6 address in a URL without its brackets.
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port || 443), ...pinnedTo(config) });
    const answer = (there: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(there);
    };
    const timer = setTimeout(() => answer(false), lookTimeoutMs);
    socket.once("secureConnect", () => answer(true));
    socket.once("close", () => answer(false));
    socket.on("error", () => {});
  });
}

/** Dials the controller. Rejects with `Refused` when the controller does not take the secret. */
export function dialController(config: AgentConfig, signal: AbortSignal): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const agent = new Agent(pinnedTo(config));
    const socket = new WebSocket(new URL(agentLinkPath, config.controllerUrl), {
      agent,
      headers: { authorization: `Bearer ${config.sandboxId}:${config.secret}` },
      perMessageDeflate: false,
      maxPayload: linkLimits.maxFrameBytes + linkLimits.headerBytes,
      handshakeTimeout: 10_000,
      finishRequest: (request) => {
        request.once("socket", boundConnect);
        request.end();
      },
    });
    const abort = () => socket.terminate();
    signal.addEventListener("abort", abort, { once: true });
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
    // Later errors are followed by a close.
    socket.on("error", () => {});
    socket.once("close", () => signal.removeEventListener("abort", abort));
    socket.once("unexpected-response", (_request, response) => {
      const status = response.statusCode ?? 0;
      response.destroy();
      socket.terminate();
      const text = `the controller answered ${status}`;
      reject(status === 401 || status === 403 ? new Refused(text) : new Error(text));
    });
  });
}

/** Gives up a connection that TCP did not make in time. What follows may take longer: a controller may be busy. */
function boundConnect(socket: Socket): void {
  if (!socket.connecting) return;
  const timer = setTimeout(
    () => socket.destroy(new Error("the controller's address does not answer")),
    connectTimeoutMs,
  );
  for (const event of ["connect", "close"] as const) socket.once(event, () => clearTimeout(timer));
}
