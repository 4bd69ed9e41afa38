import { CopyButton } from "../ui/copy-button.tsx";
import { isCommand } from "./findings.ts";

/** What mends something: lines for a shell, to be copied, or a sentence. */
export function Cure({ fix }: { fix: string }) {
  if (!isCommand(fix)) return <p className="cure-words">{fix}</p>;
  const where = fix.startsWith("berth ")
    ? "Where the command line of Berth is signed in:"
    : "As root on a Proxmox host:";
  return (
    <div className="cure">
      <p className="quiet">{where}</p>
      <pre className="cure-lines mono">{fix}</pre>
      <CopyButton text={fix} />
    </div>
  );
}
