import { connect as connectTcp, type Socket } from "node:net";
import { systemClock } from "@berth/base";
import { isErrno, sshFingerprint } from "@berth/base/node";
import ssh2, { type CipherAlgorithm, type Client, type CompressionAlgorithm, type ParsedKey } from "ssh2";

export interface SshTarget {
  host: string;
  port: number;
  username: string;
  /** Host keys that are accepted, as `SHA256:…`; any other ends the connection before anything is sent. */
  hostKeyFingerprints: readonly string[];
  /** Private keys to sign in with, tried in order. */
  privateKeys: readonly string[];
  /** Others than ssh2's own choice. */
  algorithms?: { readonly cipher: readonly CipherAlgorithm[]; readonly compress: readonly CompressionAlgorithm[] };
  /** How long to try while the port is closed, in milliseconds; unset: for as long as a boot takes. */
  patienceMs?: number;
  /** Called with the client before anything has come from the server. */
  prepare?(client: Client): void;
}

/** The host showed a key that is not pinned. */
export class HostKeyMismatch extends Error {
  override readonly name = "HostKeyMismatch";
  readonly seen: string;

  constructor(host: string, seen: string) {
    super(`${host} shows the SSH host key ${seen}, which is not the one that this sandbox was given`);
    this.seen = seen;
  }
}

/** An open SSH connection. */
export interface SshConnection {
  readonly client: Client;
  /** This machine's address as the other side can reach it. */
  readonly localAddress: string;
  /** The host key that was shown. */
  readonly hostKeyFingerprint: string;
  close(): void;
}

const connectTimeoutMs = 5_000;
/** A container that has an address needs a moment until its sshd listens. */
const bootMs = 15_000;
const bootPollMs = 50;
const handshakeTimeoutMs = 10_000;

/** Connects and signs in. Rejects with `HostKeyMismatch`, or with the socket's or ssh2's error. */
export async function connectSsh(target: SshTarget, signal?: AbortSignal): Promise<SshConnection> {
  const socket = await openSocketAtBoot(target, signal);
  const client = new ssh2.Client();
  const { algorithms } = target;
  let seen = "";
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      client.destroy();
      socket.destroy();
      reject(seen && !target.hostKeyFingerprints.includes(seen) ? new HostKeyMismatch(target.host, seen) : error);
    };
    client.on("error", fail);
    client.on("close", () => fail(new Error("the SSH connection closed before it was ready")));
    client.on("ready", () => {
      client.removeAllListeners("error");
      // An error after this reaches whoever uses the connection as a closed channel.
      client.on("error", () => {});
      resolve({ client, localAddress: socket.localAddress ?? "", hostKeyFingerprint: seen, close: () => client.end() });
    });
    client.connect({
      sock: socket,
      username: target.username,
      readyTimeout: handshakeTimeoutMs,
      hostVerifier: (key: Buffer) => {
        seen = sshFingerprint(key);
        return target.hostKeyFingerprints.includes(seen);
      },
      authHandler: authentication(target),
      ...(algorithms ? { algorithms: { cipher: [...algorithms.cipher], compress: [...algorithms.compress] } } : {}),
    });
    target.prepare?.(client);
  });
}

/** Offers the keys in order; each is offered once. */
function authentication({ username, privateKeys }: SshTarget) {
  const methods = parseKeys(privateKeys).map((key) => ({ type: "publickey" as const, username, key }));
  return methods;
}

function parseKeys(privateKeys: readonly string[]): ParsedKey[] {
  return privateKeys.map((text) => {
    const key = ssh2.utils.parseKey(text);
    if (key instanceof Error) throw key;
    return key;
  });
}

/** Connects, and while the port is closed tries again. */
async function openSocketAtBoot(target: SshTarget, signal?: AbortSignal): Promise<Socket> {
  const deadline = performance.now() + (target.patienceMs ?? bootMs);
  for (;;) {
    try {
      return await openSocket(target, signal);
    } catch (error) {
      const closed = isErrno(error, "ECONNREFUSED") || isErrno(error, "EHOSTUNREACH");
      if (!closed || performance.now() > deadline) throw error;
    }
    await systemClock.sleep(bootPollMs, signal);
  }
}

function openSocket({ host, port }: SshTarget, signal?: AbortSignal): Promise<Socket> {
  // Under a signal that is aborted before, Node's socket fails, and connects all the same.
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true, ...(signal ? { signal } : {}) });
    const timer = setTimeout(() => socket.destroy(new Error(`${host}:${port} does not answer`)), connectTimeoutMs);
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}
