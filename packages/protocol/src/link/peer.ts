import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { controlMessageSchema } from "./control.ts";
import { LinkViolation } from "./frames.ts";

/** A call that one side offers: the schemas of what goes in and what comes out. */
export interface Method {
  readonly params: TSchema;
  readonly result: TSchema;
}
/** The calls and the events that one side offers, by name. */
export interface Interface {
  readonly methods: Readonly<Record<string, Method>>;
  readonly events: Readonly<Record<string, TSchema>>;
}

/** One function for each call of an interface. */
export type Handlers<I extends Interface> = {
  [Name in keyof I["methods"]]: (
    params: Static<I["methods"][Name]["params"]>,
  ) => Promise<Static<I["methods"][Name]["result"]>> | Static<I["methods"][Name]["result"]>;
};

/** A call was answered with an error, or not at all. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  /** The peer's code; `timeout` and `link_closed` are this side's own. */
  readonly code: string;

  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

export interface PeerOptions<Local extends Interface, Remote extends Interface> {
  local: Local;
  remote: Remote;
  handlers: Handlers<Local>;
  /** A valid event of the peer's. */
  onEvent?<Name extends keyof Remote["events"] & string>(event: Name, data: unknown): void;
  send(message: unknown): void;
  /** How long a call may take, in milliseconds. */
  callTimeoutMs?: number;
}

interface PendingCall {
  result: TSchema;
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

const maxPendingCalls = 256;

/** Calls and events over a link's control channel; whatever the peer sends is checked against the interfaces. */
export class Peer<Local extends Interface, Remote extends Interface> {
  readonly #options: PeerOptions<Local, Remote>;
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 1;
  #serving = 0;
  #closed = false;

  constructor(options: PeerOptions<Local, Remote>) {
    this.#options = options;
  }

  /** Calls the peer. Rejects with `CallFailure` on an error, after the timeout, or when the link goes. */
  call<Name extends keyof Remote["methods"] & string>(
    name: Name,
    params: Static<Remote["methods"][Name]["params"]>,
    timeoutMs = this.#options.callTimeoutMs ?? 10_000,
  ): Promise<Static<Remote["methods"][Name]["result"]>> {
    const method = this.#options.remote.methods[name];
    if (!method) throw new Error(`the peer has no call ${name}`);
    if (this.#closed) return Promise.reject(new CallFailure("link_closed", "the link is closed"));
    if (this.#pending.size >= maxPendingCalls) {
      return Promise.reject(new CallFailure("too_many_calls", "too many calls wait for an answer"));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new CallFailure("timeout", `${name} was not answered within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending.set(id, { result: method.result, resolve, reject, timer });
      try {
        this.#options.send({ type: "request", id, method: name, params });
      } catch (error) {
        this.#pending.delete(id);
        clearTimeout(timer);
        reject(error);
      }
    });
  }

  /** Tells the peer a fact. */
  emit<Name extends keyof Local["events"] & string>(event: Name, data: Static<Local["events"][Name]>): void {
    if (!this.#closed) this.#options.send({ type: "event", event, data });
  }

  /** Takes a message from the control channel. Throws `LinkViolation` if it breaks the rules. */
  receive(message: unknown): void {
    if (!Value.Check(controlMessageSchema, message)) throw new LinkViolation("not a control message");
    switch (message.type) {
      case "request":
        void this.#serve(message.id, message.method, message.params);
        return;
      case "result":
        this.#settle(message.id, (call) => {
          if (!Value.Check(call.result, message.result)) throw new LinkViolation("a result does not fit its schema");
          call.resolve(message.result);
        });
        return;
      case "failure":
        this.#settle(message.id, (call) => call.reject(new CallFailure(message.code, message.detail)));
        return;
      case "event":
        this.#receiveEvent(message.event, message.data);
    }
  }

  /** The link is gone: rejects what waits. */
  close(): void {
    this.#closed = true;
    for (const call of this.#pending.values()) {
      clearTimeout(call.timer);
      call.reject(new CallFailure("link_closed", "the link closed before the answer came"));
    }
    this.#pending.clear();
  }

  #settle(id: number, settle: (call: PendingCall) => void): void {
    // An answer that comes after its timeout finds nobody waiting.
    const call = this.#pending.get(id);
    if (!call) return;
    this.#pending.delete(id);
    clearTimeout(call.timer);
    try {
      settle(call);
    } catch (error) {
      call.reject(new CallFailure("invalid_result", "the peer's answer does not fit its schema"));
      throw error;
    }
  }

  #receiveEvent(event: string, data: unknown): void {
    const schema = Object.hasOwn(this.#options.remote.events, event) ? this.#options.remote.events[event] : undefined;
    if (!schema || !Value.Check(schema, data)) throw new LinkViolation(`not a valid event: ${event}`);
    this.#options.onEvent?.(event, data);
  }

  async #serve(id: number, name: string, params: unknown): Promise<void> {
    const { local, handlers } = this.#options;
    const method = Object.hasOwn(local.methods, name) ? local.methods[name] : undefined;
    if (!method) return this.#fail(id, "unknown_method", `there is no call ${name}`);
    if (!Value.Check(method.params, params))
      return this.#fail(id, "invalid_request", `the parameters of ${name} are not valid`);
    if (this.#serving >= maxPendingCalls) return this.#fail(id, "too_many_calls", "too many calls at once");
    this.#serving += 1;
    try {
      const handler: (params: unknown) => unknown = handlers[name] as (params: unknown) => unknown;
      const result = await handler(params);
      if (!this.#closed) this.#options.send({ type: "result", id, result: result ?? null });
    } catch (error) {
      const code =
        error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "internal";
      this.#fail(id, code, error instanceof Error ? error.message : "unknown error");
    } finally {
      this.#serving -= 1;
    }
  }

  #fail(id: number, code: string, detail: string): void {
    if (!this.#closed) {
      this.#options.send({ type: "failure", id, code: code.slice(0, 64), detail: detail.slice(0, 4096) });
    }
  }
}
