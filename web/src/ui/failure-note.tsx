import type { Failure } from "@berth/protocol";
import type { ReactNode } from "react";
import { Icon } from "./icon.tsx";

/** Why something failed, and what to do about it. */
export function FailureNote({ failure, children }: { failure: Failure; children?: ReactNode }) {
  return (
    <div className="failure" role="alert" data-code={failure.code}>
      <Icon name="alert" />
      <div className="failure-words">
        <p className="failure-cause">{failure.message}</p>
        {failure.hint !== undefined && <p className="failure-cure">{failure.hint}</p>}
        {children !== undefined && <div className="failure-actions">{children}</div>}
      </div>
    </div>
  );
}
