import type { ReactNode } from "react";
import { Icon } from "./icon.tsx";

/** Something that is not as expected and no failure; `children`: what can be done about it. */
export function Note({ title, children }: { title: ReactNode; children?: ReactNode }) {
  return (
    <div className="note" role="status">
      <Icon name="alert" />
      <div className="failure-words">
        <p>{title}</p>
        {children}
      </div>
    </div>
  );
}
