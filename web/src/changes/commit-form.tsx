import { cancelOperation, type Operation, type PushResult } from "@berth/protocol";
import { type FormEvent, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { stepTitle } from "../operation/step-names.ts";
import type { Drafts } from "../sandbox/use-drafts.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import type { Repository, RepositoryState } from "./repository.ts";

export interface CommitFormProps {
  repository: Repository;
  /** Files of which something is staged. */
  staged: number;
  drafts: Drafts;
}

/** Where the message is written, and what is staged is committed with it. */
export function CommitForm({ repository, staged, drafts: { message, setMessage } }: CommitFormProps) {
  const commit = useCall(async () => {
    await repository.commit(message.trim());
    setMessage("");
  });
  const ready = staged > 0 && message.trim() !== "";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready) void commit.run();
  };
  return (
    <form className="commit-form" onSubmit={submit}>
      <textarea
        aria-label="Commit message"
        placeholder="Message of the commit"
        rows={2}
        value={message}
        onChange={({ currentTarget }) => setMessage(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
        }}
      />
      {commit.failure && <FailureNote failure={commit.failure} />}
      <Button type="submit" look="primary" busy={commit.pending} disabled={!ready}>
        {staged === 0 ? "Stage something to commit" : `Commit ${staged} ${staged === 1 ? "file" : "files"}`}
      </Button>
    </form>
  );
}

/** The push of the sandbox's branch to the remote of its project, and what came of it. */
export function PushBar({ repository, state }: { repository: Repository; state: RepositoryState }) {
  const [result, setResult] = useState<PushResult | undefined>(undefined);
  const [operation, setOperation] = useState<Operation | undefined>(undefined);
  const push = useCall(async () => {
    setResult(undefined);
    setResult(await repository.push(setOperation));
  });
  const api = useApi();
  const cancel = useCall(async () => {
    if (operation) await api.call(cancelOperation, { params: { id: operation.id } });
  });
  const step = operation?.steps.find((each) => each.state === "running");
  const { project, status } = state;
  if (!project) return null;
  const detached = status?.branch.name !== project.branch;
  return (
    <div className="push-bar">
      <div className="push-act">
        <span className="quiet push-where" title={project.project.url}>
          to {project.project.url}
        </span>
        <Button
          busy={push.pending}
          disabled={detached}
          title={detached ? `Check out ${project.branch}, the sandbox’s own branch.` : undefined}
          onClick={() => void push.run()}
        >
          Push
        </Button>
      </div>
      {push.pending && operation && (
        <div className="push-act">
          <span className="quiet push-where" role="status">
            {step ? (step.detail ?? stepTitle(step.name)) : "Waiting for its turn"}
          </span>
          <Button look="quiet" busy={cancel.pending} onClick={() => void cancel.run()}>
            Cancel
          </Button>
        </div>
      )}
      {push.failure && <FailureNote failure={push.failure} />}
      {result && !push.failure && (
        <div role="status">
          <p>
            {result.state === "pushed"
              ? `Pushed ${result.commit.slice(0, 8)} to ${result.remoteBranch}.`
              : `${result.remoteBranch} has everything already.`}
          </p>
          {result.messages.length > 0 && <pre className="push-words mono">{result.messages.join("\n")}</pre>}
        </div>
      )}
    </div>
  );
}
