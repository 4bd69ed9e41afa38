import { useState } from "react";
import { Button } from "../ui/button.tsx";
import { copyText } from "../ui/clipboard.ts";
import { Icon } from "../ui/icon.tsx";

/** A secret that is shown this once. */
export function NewSecret({ secret, onDone }: { secret: string; onDone: () => void }) {
  const [copied, setCopied] = useState(false);
  return (
    <div className="new-secret" role="status">
      <p>
        <strong>Copy the token now.</strong> It is not shown again.
      </p>
      <code className="secret mono">{secret}</code>
      <div className="dialog-actions">
        <Button look="primary" onClick={async () => setCopied(await copyText(secret))}>
          <Icon name={copied ? "check" : "copy"} /> {copied ? "Copied" : "Copy"}
        </Button>
        <Button onClick={onDone}>Done</Button>
      </div>
    </div>
  );
}
