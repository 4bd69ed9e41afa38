import { backoffMs, type Clock } from "@berth/base";
import type { AgentActivity, AgentConfig, TerminalStatus } from "@berth/protocol";
import {
  type agentInterface as AgentInterface,
  agentInterface,
  type Channel,
  controllerInterface,
  type Handlers,
  LinkViolation,
  linkVersion,
  Multiplexer,
  Peer,
} from "@berth/protocol/link";
import type { Static } from "typebox";
import type { WebSocket } from "ws";
import { errorText, type Log } from "../log.ts";
import { dialController, isRefusal, Refused } from "./controller-socket.ts";
import { Heartbeat } from "./heartbeat.ts";

type Hello = Static<(typeof controllerInterface.methods.hello)["params"]>;
type Welcome = Static<(typeof controllerInterface.methods.hello)["result"]>;
type ControllerPeer = Peer<typeof agentInterface, typeof controllerInterface>;

export interface ControllerLinkOptions {
  config(): AgentConfig;
  clock: Clock;
  log: Log;
  handlers: Handlers<typeof AgentInterface>;
  hello(): Promise<Omit<Hello, "linkVersion">>;
  onWelcome(welcome: Welcome): Promise<void>;
  onOpen(channel: Channel, kind: string, params: unknown): void;
  /** The link stands, or is gone. */
  onLink(linked: boolean): void;
}

/**
 * A controller that restarts is back within a second; many agents that lost it do not come back at one time. The longest
 * wait and the time for one connection together stay below 5 seconds: so soon after the network the link is back, too.
 */
const backoff = { firstMs: 200, maxMs: 3_000 };
/** A refusal stays until somebody bootstraps the sandbox anew. */
const refusedMs = 60_000;

/** The agent's one link to its controller. */
export class ControllerLink {
  readonly #options: ControllerLinkOptions;
  #peer: ControllerPeer | undefined;
  #multiplexer: Multiplexer | undefined;
  #takesActivity = false;
  #toldReason = "";
  #turns = 0;

  constructor(options: ControllerLinkOptions) {
    this.#options = options;
  }

  /** Grows for as long as the link is looked after: at each attempt, and at each beat while it stands. */
  get turns(): number {
    return this.#turns;
  }

  /** Tells the controller of a terminal; while there is no link, the next hello does. */
  tellTerminal(status: TerminalStatus): void {
    this.#peer?.emit("terminal", status);
  }

  /** Opens a channel to the controller; undefined while there is no link. Its handlers are to be set at once. */
  openChannel(kind: string, params: unknown): Channel | undefined {
    return this.#multiplexer?.open(kind, params);
  }

  /** Tells the controller what uses the sandbox, if it wants to know; while there is no link, the next hello does. */
  tellActivity(activity: AgentActivity): void {
    if (this.#takesActivity) this.#peer?.emit("activity", activity);
  }

  /** Keeps the link until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      let waitMs: number | undefined;
      this.#turns += 1;
      try {
        const welcomed = await this.#serve(signal);
        if (welcomed) attempt = 0;
      } catch (error) {
        if (error instanceof Refused)
          waitMs = refusedMs / 2 + backoffMs(0, { firstMs: refusedMs, maxMs: refusedMs }) / 2;
        if (!signal.aborted) this.#warnOnce(errorText(error));
      }
      await clock.sleep(waitMs ?? backoffMs(attempt, backoff), signal).catch(() => {});
    }
  }

  /** One connection, from the dial to its end; answers whether the controller had welcomed it. */
  async #serve(signal: AbortSignal): Promise<boolean> {
    const { config, clock, log, handlers, onOpen, onLink } = this.#options;
    const socket = await dialController(config(), signal);
    socket.binaryType = "nodebuffer";
    const multiplexer: Multiplexer = new Multiplexer({
      side: "dialler",
      send: (frame) => socket.send(frame, { binary: true }),
      onControl: (message) => peer.receive(message),
      onOpen,
    });
    const peer: ControllerPeer = new Peer<typeof agentInterface, typeof controllerInterface>({
      local: agentInterface,
      remote: controllerInterface,
      handlers,
      send: (message) => multiplexer.sendControl(message),
    });
    const heartbeat = new Heartbeat(socket, clock, () => {
      this.#turns += 1;
    });
    socket.on("message", (data) => receive(socket, multiplexer, data, log));
    const closed = new Promise<number>((resolve) => socket.once("close", (code) => resolve(code)));
    const gone = closed.then(() => {
      heartbeat.stop();
      this.#peer = undefined;
      this.#multiplexer = undefined;
      peer.close();
      multiplexer.close("agent_link_closed");
    });
    const welcomed = await this.#welcome(peer, heartbeat).catch((error: unknown) => {
      if (socket.readyState === socket.OPEN) socket.close(1000);
      log.warn("the controller did not answer the hello", { reason: errorText(error) });
      return false;
    });
    if (welcomed) {
      if (socket.readyState === socket.OPEN) this.#multiplexer = multiplexer;
      log.info("linked to the controller");
      onLink(true);
    }
    await gone;
    if (welcomed) onLink(false);
    const code = await closed;
    if (isRefusal(code)) throw new Refused(`the controller closed the link with ${code}`);
    if (welcomed && !signal.aborted) log.info("the link to the controller closed", { code });
    return welcomed;
  }

  async #welcome(peer: ControllerPeer, heartbeat: Heartbeat): Promise<boolean> {
    const hello = await this.#options.hello();
    const welcome = await peer.call("hello", { linkVersion, ...hello });
    heartbeat.start(welcome.heartbeatMs);
    this.#takesActivity = welcome.activity === true;
    this.#peer = peer;
    this.#toldReason = "";
    await this.#options.onWelcome(welcome);
    return true;
  }

  #warnOnce(reason: string): void {
    if (reason === this.#toldReason) return;
    this.#toldReason = reason;
    this.#options.log.warn("no link to the controller; it is tried again", { reason });
  }
}

function receive(socket: WebSocket, multiplexer: Multiplexer, data: unknown, log: Log): void {
  try {
    if (!(data instanceof Uint8Array)) throw new LinkViolation("not a binary message");
    multiplexer.receive(data);
  } catch (error) {
    log.error("the controller broke the link's rules", { reason: errorText(error) });
    socket.terminate();
  }
}
