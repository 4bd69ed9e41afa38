import { useEffect, useState } from "react";
import { Button } from "./button.tsx";
import { copyText } from "./clipboard.ts";
import { Icon } from "./icon.tsx";

/** How long the button says that it has copied, in milliseconds. */
const saysSoMs = 2_000;

/** Copies a text, and says so for a moment. */
export function CopyButton({ text, label }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), saysSoMs);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button className="copy-button" aria-label={label} onClick={async () => setCopied(await copyText(text))}>
      <Icon name={copied ? "check" : "copy"} /> <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
    </Button>
  );
}
