import type { Terminal } from "@berth/protocol";
import { useState } from "react";
import { ShareDialog } from "../share/share-dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { Menu } from "../ui/menu.tsx";

export interface TerminalMenuProps {
  terminal: Terminal;
  name: string;
  onDownload: () => void;
}

/** The menu of the terminal that is seen. */
export function TerminalMenu({ terminal, name, onDownload }: TerminalMenuProps) {
  const [sharing, setSharing] = useState(false);
  return (
    <div className="terminal-menu">
      <Menu
        label={`Actions for the terminal ${name}`}
        button={<Icon name="more" />}
        items={[
          { label: "Share…", onSelect: () => setSharing(true) },
          { label: "Download recording", onSelect: onDownload },
        ]}
      />
      {sharing && <ShareDialog terminal={terminal} name={name} onClose={() => setSharing(false)} />}
    </div>
  );
}
