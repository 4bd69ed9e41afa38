import { sshString } from "@berth/base/node";
import type { SessionTraffic } from "./sessions.ts";
import type { Transport } from "./transport.ts";
import { channelOpenFailure, message, openFailure, readNumber, readString, uint32 } from "./wire.ts";

/** What may go through. */
export interface RelayPolicy {
  readonly agentForwarding: boolean;
  /** Channels that are open at a time. */
  readonly maxChannels: number;
  /** A destination that the sandbox itself knows under another name and port. */
  destination(host: string, port: number): { host: string; port: number } | undefined;
}

/** Beyond this the side that sends is not read any more, until the other has taken most of it. */
const maxBacklogBytes = 1024 * 1024;
const resumeBelowBytes = 256 * 1024;

const fromClient: ReadonlySet<string> = new Set(["session", "direct-tcpip", "direct-streamlocal@openssh.com"]);
const fromSandbox: ReadonlySet<string> = new Set(["forwarded-tcpip", "forwarded-streamlocal@openssh.com"]);
const agentChannel = "auth-agent@openssh.com";
/** What a sandbox is asked in place of a request that may not reach it: its refusal comes in its turn. */
const refusedRequest = "refused@berth";
/** The parts of a session that are told apart. */
const programs: ReadonlySet<string> = new Set(["shell", "exec", "subsystem"]);
/** Kinds of channels that are counted by name; the rest is `other`. */
const maxKinds = 16;

/**
 * Joins a client's connection with one to a sandbox. Messages pass as they are: channels keep their numbers and their
 * windows reach from end to end, so that half-closed channels, requests of any kind and the pace of both ends are the
 * ends' own affair, and nothing of a channel is held here. It counts, and refuses what the gateway does not allow.
 */
export class Relay {
  readonly #client: Transport;
  readonly #sandbox: Transport;
  readonly #policy: RelayPolicy;
  readonly #channels: Record<string, number> = {};
  #bytesIn = 0;
  #bytesOut = 0;
  #opened = 0;
  #failed = 0;
  /** Each channel is closed once by either side. */
  #closes = 0;

  constructor(client: Transport, sandbox: Transport, policy: RelayPolicy) {
    this.#client = client;
    this.#sandbox = sandbox;
    this.#policy = policy;
    client.intercept((payload) => this.fromClient(payload));
    sandbox.intercept((payload) => this.#fromSandbox(payload));
    pace(client, sandbox);
    pace(sandbox, client);
  }

  get traffic(): SessionTraffic {
    return { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, channels: { ...this.#channels } };
  }

  /** Takes a message of the client's; also those that came before the sandbox's connection was there. */
  fromClient(payload: Buffer): true {
    switch (payload[0]) {
      case message.channelOpen:
        this.#openFromClient(payload);
        return true;
      case message.channelRequest:
        this.#sandbox.send(this.#request(payload));
        break;
      case message.globalRequest:
        if (nameIn(payload, 1).endsWith("-forward") || nameIn(payload, 1).startsWith("streamlocal-forward")) {
          this.#note("remote-forward");
        }
        this.#sandbox.send(payload);
        break;
      default:
        this.#bytesIn += dataBytes(payload);
        this.#count(payload);
        this.#sandbox.send(payload);
    }
    if (this.#sandbox.backlogBytes > maxBacklogBytes) this.#client.socket.pause();
    return true;
  }

  #fromSandbox(payload: Buffer): true {
    switch (payload[0]) {
      case message.channelOpen:
        this.#openFromSandbox(payload);
        return true;
      case message.globalRequest:
        // Its host keys are not the gateway's, which the client would take them for.
        if (nameIn(payload, 1).startsWith("hostkeys")) return true;
        this.#client.send(payload);
        break;
      default:
        this.#bytesOut += dataBytes(payload);
        this.#count(payload);
        this.#client.send(payload);
    }
    if (this.#client.backlogBytes > maxBacklogBytes) this.#sandbox.socket.pause();
    return true;
  }

  #openFromClient(payload: Buffer): void {
    const kind = nameIn(payload, 1);
    const refusal = fromClient.has(kind) ? this.#full() : unknownKind;
    if (refusal) {
      this.#client.send(channelOpenFailure(senderOf(payload), refusal.reason, refusal.sentence));
      return;
    }
    this.#opened += 1;
    if (kind !== "session") this.#note(kind);
    this.#sandbox.send(kind === "direct-tcpip" ? this.#redirected(payload) : payload);
  }

  #openFromSandbox(payload: Buffer): void {
    const kind = nameIn(payload, 1);
    const isAllowed = fromSandbox.has(kind) || (kind === agentChannel && this.#policy.agentForwarding);
    const refusal = isAllowed ? this.#full() : unknownKind;
    if (refusal) {
      this.#sandbox.send(channelOpenFailure(senderOf(payload), refusal.reason, refusal.sentence));
      return;
    }
    this.#opened += 1;
    this.#note(kind);
    this.#client.send(payload);
  }

  /** A request within a channel, as the sandbox is to see it. */
  #request(payload: Buffer): Buffer {
    const name = readString(payload, 5);
    const kind = name?.value.toString("latin1") ?? "";
    const forbidden = kind === "x11-req" || (kind === "auth-agent-req@openssh.com" && !this.#policy.agentForwarding);
    if (forbidden && name) {
      const wantsReply = payload.subarray(name.end, name.end + 1);
      return Buffer.concat([payload.subarray(0, 5), sshString(refusedRequest), wantsReply]);
    }
    if (name && programs.has(kind)) this.#note(kind === "subsystem" ? nameIn(payload, name.end + 1) : kind);
    return payload;
  }

  /** A connection to one of the sandbox's own names goes to where it knows itself. */
  #redirected(payload: Buffer): Buffer {
    const kind = readString(payload, 1);
    const host = kind && readString(payload, kind.end + 12);
    const port = host && readNumber(payload, host.end);
    if (!kind || !host || port === undefined) return payload;
    const other = this.#policy.destination(host.value.toString("utf8"), port);
    if (!other) return payload;
    const before = payload.subarray(0, kind.end + 12);
    return Buffer.concat([before, sshString(other.host), uint32(other.port), payload.subarray(host.end + 4)]);
  }

  #count(payload: Buffer): void {
    if (payload[0] === message.channelOpenFailure) this.#failed += 1;
    else if (payload[0] === message.channelClose) this.#closes += 1;
  }

  #full(): Refusal | undefined {
    const open = this.#opened - this.#failed - Math.floor(this.#closes / 2);
    if (open < this.#policy.maxChannels) return undefined;
    const sentence = `a connection has at most ${this.#policy.maxChannels} channels`;
    return { reason: openFailure.resourceShortage, sentence };
  }

  #note(kind: string): void {
    const isKnown = /^[a-z0-9@.-]{1,40}$/.test(kind) && Object.keys(this.#channels).length < maxKinds;
    const name = isKnown || Object.hasOwn(this.#channels, kind) ? kind : "other";
    this.#channels[name] = (this.#channels[name] ?? 0) + 1;
  }
}

interface Refusal {
  readonly reason: number;
  readonly sentence: string;
}

const unknownKind: Refusal = { reason: openFailure.unknownType, sentence: "the gateway does not carry such channels" };

/** Has `from` read again once `to` has taken what was sent. */
function pace(from: Transport, to: Transport): void {
  to.onMoved(() => {
    if (from.socket.isPaused() && to.backlogBytes < resumeBelowBytes) from.socket.resume();
  });
}

/** The bytes that a message carries for a channel. */
function dataBytes(payload: Buffer): number {
  if (payload[0] === message.channelData) return Math.max(0, payload.length - 9);
  if (payload[0] === message.channelExtendedData) return Math.max(0, payload.length - 13);
  return 0;
}

/** A name in a message; empty where there is none. */
function nameIn(payload: Buffer, at: number): string {
  return readString(payload, at)?.value.toString("latin1") ?? "";
}

/** The number that whoever opens a channel gave it. */
function senderOf(payload: Buffer): number {
  const kind = readString(payload, 1);
  return (kind && readNumber(payload, kind.end)) ?? 0;
}
