import {
  attachTerminal,
  BerthError,
  type Client,
  getTerminal,
  routeUrl,
  type Terminal,
  type TerminalExit,
} from "@berth/protocol";
import { AttachConnection, type AttachScreen, type AttachState, type AttachVerdict } from "@berth/protocol/viewer";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, notFound } from "../failure.ts";
import type { Session } from "../session.ts";

/** How an attached command ended. */
export type AttachEnd = { readonly how: "detached" } | { readonly how: "exited"; readonly exit: TerminalExit };

/** Where a terminal is shown and typed into. */
export interface Front {
  readonly screen: AttachScreen;
  /** Begins to take input for the connection; `detach` ends the attachment, and nothing else. */
  start(connection: AttachConnection, detach: () => void): void;
  state(state: AttachState): void;
  /** Leaves everything as it was found. */
  stop(): void;
}

export interface AttachWish {
  readonly terminal: Terminal;
  /** All output since the program's start, if it is still kept, instead of the screen. */
  readonly fromStart: boolean;
  readonly front: Front;
}

/** Attaches to a terminal until its program ends or the user leaves; whatever happens, the front is stopped. */
export async function attach(session: Session, { terminal, fromStart, front }: AttachWish): Promise<AttachEnd> {
  const { clock } = session.surroundings;
  const { signal } = session;
  const controller = await session.controller();
  const end = Promise.withResolvers<AttachEnd>();
  const connection = new AttachConnection({
    address: (query) => routeUrl(attachTerminal, { params: { id: terminal.id }, query }),
    openSocket: controller.openSocket,
    screen: front.screen,
    verdict: () => findVerdict(controller.client, terminal.id),
    onState: (state) => {
      front.state(state);
      settle(state, end);
    },
    clock,
    ...(fromStart ? { from: { epoch: terminal.epoch, offset: 0 } } : {}),
  });
  const abort = () => end.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    front.start(connection, () => end.resolve({ how: "detached" }));
    connection.open();
    return await end.promise;
  } finally {
    signal.removeEventListener("abort", abort);
    connection.close();
    front.stop();
  }
}

function settle(state: AttachState, end: PromiseWithResolvers<AttachEnd>): void {
  switch (state.phase) {
    case "exited":
      end.resolve({ how: "exited", exit: state.exit });
      break;
    case "failed":
      end.reject(new CommandFailed(exitCodes.failed, "attach_failed", state.reason));
      break;
    case "gone":
      end.reject(notFound("This terminal is no more: it was closed elsewhere.", "See berth ls SANDBOX."));
      break;
    case "signedOut":
      end.reject(new CommandFailed(exitCodes.denied, "unauthenticated", "You were signed out.", "Use berth login."));
      break;
    default:
  }
}

/** Why an upgrade was refused, by asking for the terminal itself. */
async function findVerdict(client: Client, id: string): Promise<AttachVerdict> {
  try {
    await client.call(getTerminal, { params: { id } });
    return "retry";
  } catch (error) {
    if (!(error instanceof BerthError)) return "retry";
    if (error.code === "not_found") return "gone";
    return error.status === 401 || error.status === 403 ? "signedOut" : "retry";
  }
}
