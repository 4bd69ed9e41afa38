import { createTerminal, deleteTerminal, type Failure, randomKey, type Sandbox, type Terminal } from "@berth/protocol";
import { useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { describeError } from "../api/describe-error.ts";
import { useFleet, useTerminals } from "../fleet/context.tsx";

export interface SandboxTerminals {
  readonly terminals: readonly Terminal[];
  /** They were listed, and the first one was opened if there was none. */
  readonly loaded: boolean;
  readonly failure: Failure | null;
  open(kind: "claude" | "shell"): Promise<Terminal>;
  close(terminal: Terminal): Promise<void>;
  /** Another one in place of one that has exited; Claude goes on with its conversation. */
  startAgain(terminal: Terminal): Promise<Terminal>;
}

/** The terminals of a sandbox that runs. One that has none yet gets a Claude. */
export function useSandboxTerminals(sandbox: Sandbox): SandboxTerminals {
  const api = useApi();
  const fleet = useFleet();
  const terminals = useTerminals(sandbox.id);
  const [loaded, setLoaded] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const reachable = sandbox.state === "ready" && sandbox.agent.connected;

  const create = async (body: CreateBody, idempotencyKey: string) => {
    const terminal = await api.call(createTerminal, { params: { id: sandbox.id }, body }, { idempotencyKey });
    fleet.put("terminals", terminal);
    return terminal;
  };
  const close = async (terminal: Terminal) => {
    await api.call(deleteTerminal, { params: { id: terminal.id } });
    fleet.forgetTerminal(terminal.id);
  };

  useEffect(() => {
    if (!reachable) return;
    let left = false;
    const begin = async () => {
      setFailure(null);
      if ((await fleet.watchTerminals(sandbox.id)).length === 0) {
        // The same key and body from every tab and after every reload: at most one first Claude. Where it was closed
        // since, the answer is the one of then, and the second list says that it is no more.
        const input = { params: { id: sandbox.id }, body: { kind: "claude" } } as const;
        await api.call(createTerminal, input, { idempotencyKey: `first-claude-${sandbox.id}` });
        await fleet.watchTerminals(sandbox.id);
      }
    };
    begin()
      .catch((error) => {
        if (!left) setFailure(describeError(error));
      })
      .finally(() => {
        if (!left) setLoaded(true);
      });
    return () => {
      left = true;
    };
  }, [api, fleet, sandbox.id, reachable]);

  return {
    terminals,
    loaded,
    failure,
    open: (kind) => create({ kind }, randomKey()),
    close,
    startAgain: async (old) => {
      const next = await create(sameAgain(old), `again-${old.id}-${old.epoch}`);
      await close(old);
      return next;
    },
  };
}

interface CreateBody {
  kind: Terminal["kind"];
  argv?: string[];
  cwd?: string;
  resume?: string;
}

function sameAgain(old: Terminal): CreateBody {
  return {
    kind: old.kind,
    ...(old.kind === "exec" && old.argv ? { argv: old.argv } : {}),
    ...(old.cwd === null ? {} : { cwd: old.cwd }),
    ...(old.kind === "claude" && old.conversationId !== null ? { resume: old.conversationId } : {}),
  };
}
