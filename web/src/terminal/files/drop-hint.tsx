import { Icon } from "../../ui/icon.tsx";
import "./files.css";

/** Lies over a terminal while files are dragged over it, and says what a drop would do. */
export function DropHint({ refusal }: { refusal: string | null }) {
  return (
    <div className="drop-hint" data-refused={refusal !== null || undefined}>
      <p>
        <Icon name={refusal === null ? "clip" : "alert"} />
        <span>{refusal ?? "Drop to put it into the sandbox. Its path is typed here."}</span>
      </p>
    </div>
  );
}
