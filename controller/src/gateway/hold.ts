import type { Transport } from "./transport.ts";

/**
 * Keeps what a client sends until it is known who answers: no more than what one read brought, since the client is not
 * read meanwhile.
 */
export class Hold {
  /** Resolves when the first message has come. */
  readonly first: Promise<void>;
  readonly #transport: Transport;
  #messages: Buffer[] = [];

  constructor(transport: Transport) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.first = promise;
    this.#transport = transport;
    transport.intercept((payload) => {
      this.#messages.push(Buffer.from(payload));
      transport.socket.pause();
      resolve();
      return true;
    });
  }

  /** Gives all of it to `take`, in order, or to ssh2; what comes from now on is theirs. */
  release(take?: (payload: Buffer) => void): void {
    const messages = this.#messages;
    this.#messages = [];
    if (!take) this.#transport.intercept(undefined);
    for (const payload of messages) {
      if (take) take(payload);
      else this.#transport.deliver(payload);
    }
    this.#transport.socket.resume();
  }
}
