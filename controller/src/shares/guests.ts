import type { Clock } from "@berth/base";
import { BerthError, type ErrorCode } from "@berth/protocol";
import type { WebSocket } from "ws";
import { refuse } from "../terminals/viewer.ts";

const limits = {
  perShare: 16,
  /** Below what a PTY host takes of viewers, so that guests never keep a terminal's owner out. */
  perTerminal: 32,
  /** How long a guest's socket may take to answer the close, in milliseconds. */
  goodbyeMs: 1_000,
  /** Timers cannot be longer than 2^31 ms, and a share can. */
  longestTimerMs: 86_400_000,
} as const;

/** Close code 1008 (RFC 6455): it breaks a policy, and trying again does not help. */
const policyClose = 1008;

interface Guest {
  readonly shareId: string;
  readonly terminalId: string;
  readonly socket: WebSocket;
}

/** The guests who look at this moment, so that the end of a share is the end of their looking. */
export class Guests {
  readonly #clock: Clock;
  readonly #guests = new Set<Guest>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many look by a share. */
  count(shareId: string): number {
    return this.#of((guest) => guest.shareId === shareId).length;
  }

  /** Throws `limit_exceeded` if a share or its terminal has as many guests as it may have. */
  requireRoom(shareId: string, terminalId: string): void {
    const full =
      this.count(shareId) >= limits.perShare ||
      this.#of((guest) => guest.terminalId === terminalId).length >= limits.perTerminal;
    if (full) throw new BerthError("limit_exceeded", "Too many others look at this terminal.");
  }

  /** Counts a guest in until the socket closes, and cuts it off when the share expires. */
  admit(socket: WebSocket, shareId: string, terminalId: string, expiresAtMs: number): void {
    const guest: Guest = { shareId, terminalId, socket };
    const over = new AbortController();
    this.#guests.add(guest);
    socket.once("close", () => {
      this.#guests.delete(guest);
      over.abort();
    });
    void this.#cutAt(expiresAtMs, guest, over.signal);
  }

  /** A share is no more: whoever looks by it is cut off. */
  cutShare(shareId: string, code: ErrorCode, detail: string): void {
    for (const guest of this.#of((one) => one.shareId === shareId)) cut(guest.socket, code, detail);
  }

  /** A terminal is no more. */
  cutTerminal(terminalId: string): void {
    for (const guest of this.#of((one) => one.terminalId === terminalId)) {
      cut(guest.socket, "not_found", "The terminal is no more.");
    }
  }

  #of(which: (guest: Guest) => boolean): Guest[] {
    return [...this.#guests].filter(which);
  }

  async #cutAt(expiresAtMs: number, { socket }: Guest, signal: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = expiresAtMs - this.#clock.now();
      if (leftMs <= 0) {
        cut(socket, "share_expired", "This link has expired.");
        return;
      }
      try {
        await this.#clock.sleep(Math.min(leftMs, limits.longestTimerMs), signal);
      } catch {
        return;
      }
    }
  }
}

/** Closes a guest's socket, and ends it soon, whether its peer answers or not. */
export function cut(socket: WebSocket, code: ErrorCode, detail: string): void {
  if (socket.readyState !== socket.OPEN) {
    socket.terminate();
    return;
  }
  // What was sent and not read yet would keep the close from being read.
  socket.resume();
  refuse(socket, code, detail, policyClose);
  setTimeout(() => socket.terminate(), limits.goodbyeMs).unref();
}
