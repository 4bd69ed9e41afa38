import {
  type AgentUpdate,
  agentUpdateEventSchema,
  type Client,
  deletedEventSchema,
  everyPage,
  fleetEvents,
  listSandboxes,
  listTerminals,
  type Operation,
  operationSchema,
  orphanEventSchema,
  routeUrl,
  type Sandbox,
  sandboxSchema,
  type Terminal,
  terminalSchema,
} from "@berth/protocol";
import { Value } from "typebox/value";
import { EventStream, type StreamState } from "../api/event-stream.ts";
import { Store } from "../api/store.ts";
import { isOver } from "../operation/operation-feed.ts";

/** What the fleet keeps, by id. */
interface Things {
  sandboxes: Sandbox;
  /** Terminals of the sandboxes that were looked at, and of those that told of themselves. */
  terminals: Terminal;
  /** Operations that told of themselves. */
  operations: Operation;
}
type Kept = keyof Things;

/** What is known of the fleet. */
export interface FleetState extends Readonly<{ [K in Kept]: ReadonlyMap<string, Things[K]> }> {
  /** What was last told of the updates of agents, by sandbox. */
  readonly updates: ReadonlyMap<string, AgentUpdate>;
  /** How often it was told that a container began, or ceased, to belong to no sandbox. */
  readonly orphanNews: number;
  /** The sandboxes were listed at least once. */
  readonly loaded: boolean;
  readonly stream: StreamState;
}

const nothing: FleetState = {
  sandboxes: new Map(),
  terminals: new Map(),
  operations: new Map(),
  updates: new Map(),
  orphanNews: 0,
  loaded: false,
  stream: "connecting",
};

/** The fleet as the controller tells of it: listed once, then kept by its events. */
export class Fleet {
  readonly state = new Store(nothing);
  readonly #api: Client;
  #stream: EventStream | undefined;
  /** Ids that events spoke of while a list is under way: the list is older than what they said. */
  #touched: Set<string> | undefined;
  /** Sandboxes whose terminals are shown, to be listed again after a gap. */
  readonly #watched = new Set<string>();

  constructor(api: Client) {
    this.#api = api;
  }

  /** Begins to listen. */
  start(): void {
    this.#stream = new EventStream({
      url: routeUrl(fleetEvents, {}),
      names: ["sandbox", "operation", "terminal", "deleted", "agent_update", "orphan"],
      onEvent: (name, data) => this.apply(name, data),
      onLive: () => {
        this.state.update((state) => ({ ...state, stream: "live" }));
        void this.refresh();
      },
      onAway: () => this.#away(),
    });
  }

  /** Stops listening and forgets everything. */
  stop(): void {
    this.#stream?.close();
    this.#stream = undefined;
    this.#watched.clear();
    this.state.set(nothing);
  }

  /** The network is back, or the page is seen again. */
  poke(): void {
    this.#stream?.poke();
  }

  /** Lists again what is shown. */
  async refresh(): Promise<void> {
    this.#touched = new Set();
    try {
      const sandboxes = await everyPage((query) => this.#api.call(listSandboxes, { query }));
      this.#replace("sandboxes", sandboxes, () => true);
      this.state.update((state) => ({ ...state, loaded: true }));
      await Promise.all([...this.#watched].map((id) => this.watchTerminals(id)));
    } catch {
      // The stream tells when the controller is back, and a session that ended shows by itself.
    } finally {
      this.#touched = undefined;
    }
  }

  /** Lists the terminals of a sandbox, and keeps them up to date from then on. */
  async watchTerminals(sandboxId: string): Promise<readonly Terminal[]> {
    this.#watched.add(sandboxId);
    const terminals = await everyPage((query) => this.#api.call(listTerminals, { params: { id: sandboxId }, query }));
    this.#replace("terminals", terminals, (terminal) => terminal.sandboxId === sandboxId);
    return terminals;
  }

  /** Takes what an answer or an event says. */
  apply(name: string, data: unknown): void {
    if (name === "sandbox" && Value.Check(sandboxSchema, data)) this.put("sandboxes", data);
    else if (name === "terminal" && Value.Check(terminalSchema, data)) this.put("terminals", data);
    else if (name === "operation" && Value.Check(operationSchema, data)) this.put("operations", data);
    else if (name === "agent_update" && Value.Check(agentUpdateEventSchema, data)) this.#tellUpdate(data);
    else if (name === "orphan" && Value.Check(orphanEventSchema, data)) {
      this.state.update((state) => ({ ...state, orphanNews: state.orphanNews + 1 }));
    } else if (name === "deleted" && Value.Check(deletedEventSchema, data)) {
      this.#remove(data.kind === "sandbox" ? "sandboxes" : "terminals", data.id);
    }
  }

  /** Takes a thing as it is now. */
  put<K extends Kept>(kind: K, item: Things[K]): void {
    this.#change(kind, item.id, (things) => things.set(item.id, item));
  }

  /** Takes a sandbox as an answer has it, unless events have told since how the work on it ended. */
  answer(sandbox: Sandbox): void {
    if (!this.hasEnded(sandbox.operationId)) this.put("sandboxes", sandbox);
  }

  /** Whether an event has told the end of this work: what an answer says of it is older. */
  hasEnded(operationId: string | null): boolean {
    const told = this.state.get().operations.get(operationId ?? "");
    return told !== undefined && isOver(told);
  }

  /** A terminal that was closed here: gone before the event says so. */
  forgetTerminal(id: string): void {
    this.#remove("terminals", id);
  }

  #tellUpdate(update: AgentUpdate): void {
    this.state.update((state) => ({ ...state, updates: new Map(state.updates).set(update.sandboxId, update) }));
  }

  #remove(kind: Kept, id: string): void {
    this.#change(kind, id, (things) => things.delete(id));
  }

  #change<K extends Kept>(kind: K, id: string, change: (things: Map<string, Things[K]>) => void): void {
    this.#touched?.add(id);
    const things = new Map<string, Things[K]>(this.#known(kind));
    change(things);
    this.#show(kind, things);
  }

  /** Replaces those that the list covers by the list, but for those that events spoke of meanwhile. */
  #replace<K extends Kept>(kind: K, listed: readonly Things[K][], covered: (item: Things[K]) => boolean): void {
    const things = new Map<string, Things[K]>();
    const spokenOf = (id: string) => this.#touched?.has(id) === true;
    for (const item of listed) if (!spokenOf(item.id)) things.set(item.id, item);
    for (const [id, item] of this.#known(kind)) if (spokenOf(id) || !covered(item)) things.set(id, item);
    this.#show(kind, things);
  }

  #known<K extends Kept>(kind: K): ReadonlyMap<string, Things[K]> {
    const state: { readonly [P in Kept]: ReadonlyMap<string, Things[P]> } = this.state.get();
    return state[kind];
  }

  #show<K extends Kept>(kind: K, things: ReadonlyMap<string, Things[K]>): void {
    this.state.update((state) => ({ ...state, [kind]: things }));
  }

  #away(): void {
    if (this.state.get().stream === "away") return;
    // A controller that was started anew does not know what it had sent: of those the agents themselves tell.
    const updates = [...this.state.get().updates].filter(([, { state }]) => state !== "updating");
    this.state.update((state) => ({ ...state, stream: "away", updates: new Map(updates) }));
    // A stream that was refused may mean that the session has ended: any call finds out.
    void this.refresh();
  }
}
