import { EventEmitter } from "node:events";
import type { Random } from "@berth/testkit/random";
import type { SimulatedProcess } from "./process.ts";

/** Something under way to an endpoint. What is `local` passes even while the network is gone. */
interface Arrival {
  readonly bytes: number;
  readonly local?: boolean;
  deliver(): void;
}

/** All connections of a world, and what is under way on them. */
export class Network {
  readonly random: Random;
  readonly #endpoints = new Set<Endpoint>();

  constructor(random: Random) {
    this.random = random;
  }

  /** Endpoints to which something can be delivered now. */
  get ready(): Endpoint[] {
    const ready: Endpoint[] = [];
    for (const endpoint of this.#endpoints) if (endpoint.ready) ready.push(endpoint);
    return ready;
  }

  /** Connections that stand, as one endpoint of each. */
  get connections(): Endpoint[] {
    const found: Endpoint[] = [];
    for (const endpoint of this.#endpoints) {
      if (endpoint.dials && !endpoint.gone && endpoint.peer && !endpoint.peer.gone) found.push(endpoint);
    }
    return found;
  }

  get endpoints(): Iterable<Endpoint> {
    return this.#endpoints;
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.add(endpoint);
  }

  remove(endpoint: Endpoint): void {
    this.#endpoints.delete(endpoint);
  }
}

/** One end of a connection; a delivery is an event of its own, which the schedule places. */
export abstract class Endpoint extends EventEmitter {
  readonly process: SimulatedProcess;
  /** Whether this end made the connection. */
  readonly dials: boolean;
  peer: Endpoint | undefined;
  /** Nothing passes, and nobody is told. */
  frozen = false;
  protected readonly inbox: Arrival[] = [];
  /** What the machine itself tells, whether the owner reads or not. */
  readonly #notices: (() => void)[] = [];
  protected readonly network: Network;
  #inboxBytes = 0;
  #gone = false;

  constructor(network: Network, process: SimulatedProcess, dials: boolean) {
    super();
    this.network = network;
    this.process = process;
    this.dials = dials;
    process.endpoints.add(this);
    network.add(this);
  }

  /** Bytes under way to this end. */
  get inboxBytes(): number {
    return this.#inboxBytes;
  }

  /** It has closed, or its process has died. */
  get gone(): boolean {
    return this.#gone;
  }

  get ready(): boolean {
    const next = this.inbox[0];
    if (this.#notices.length > 0) return true;
    return next !== undefined && (next.local === true || (!this.frozen && !this.holdsBack));
  }

  /** Delivers what is next, as the receiving process. */
  deliverNext(): void {
    const notice = this.#notices.shift();
    if (notice) {
      this.process.run(notice);
      return;
    }
    const next = this.inbox.shift();
    if (!next) return;
    this.#inboxBytes -= next.bytes;
    this.process.run(() => next.deliver());
  }

  /** The connection breaks: of what was under way, a tail is lost each way, and both ends hear of it in their time. */
  cut(): void {
    for (const end of [this, this.peer]) {
      if (!end || end.gone) continue;
      end.frozen = false;
      end.loseTail();
      end.arrive({ bytes: 0, local: true, deliver: () => end.lost() });
    }
  }

  /** A connection that stood still breaks; one whose other end is gone is told so. */
  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    if (this.dials && this.peer && !this.peer.gone) this.cut();
  }

  /** Nothing passes any more, and nobody is told. */
  freeze(): void {
    this.frozen = true;
    if (this.peer) this.peer.frozen = true;
  }

  /** This end's process has died. */
  die(): void {
    this.leave();
    const { peer } = this;
    if (!peer || peer.gone) return;
    peer.loseTail();
    peer.arrive({ bytes: 0, deliver: () => peer.lost() });
  }

  /** Whether this kind of connection can stand still without a word. */
  abstract readonly canFreeze: boolean;
  /** Whether the owner does not read now. */
  protected abstract get holdsBack(): boolean;
  /** The connection broke: says so to the owner. */
  protected abstract lost(): void;

  protected notice(action: () => void): void {
    if (!this.#gone) this.#notices.push(action);
  }

  protected arrive(arrival: Arrival): void {
    if (this.#gone) return;
    this.inbox.push(arrival);
    this.#inboxBytes += arrival.bytes;
  }

  /** Nothing arrives here any more. */
  protected leave(): void {
    this.#gone = true;
    this.inbox.length = 0;
    this.#notices.length = 0;
    this.#inboxBytes = 0;
    this.process.endpoints.delete(this);
    this.network.remove(this);
  }

  protected loseTail(): void {
    const { random } = this.network;
    const kept = random.chance(0.3) ? this.inbox.length : random.integer(0, this.inbox.length);
    for (const arrival of this.inbox.splice(kept)) this.#inboxBytes -= arrival.bytes;
  }
}
