import type { ReactNode } from "react";
import { BerthMark } from "../ui/icon.tsx";
import { Link } from "./link.tsx";
import { usePlace } from "./navigation.ts";
import { clusterPath, fleetPath, settingsPath, templatePath } from "./route.ts";
import "./top-bar.css";

/** The bar above every page; on a sandbox's page it holds what belongs to that sandbox. */
export function TopBar({ children }: { children?: ReactNode }) {
  const { page } = usePlace();
  return (
    <header className="top-bar">
      <Link href={fleetPath} className="brand" aria-label="Berth: all sandboxes">
        <BerthMark /> <span className="brand-name">Berth</span>
      </Link>
      {children ?? (
        <nav className="top-nav" aria-label="Pages">
          <Link href={fleetPath} aria-current={page === "fleet" ? "page" : undefined}>
            Sandboxes
          </Link>
          <Link
            href={clusterPath}
            aria-current={page === "cluster" || page === "doctor" || page === "connection" ? "page" : undefined}
          >
            Cluster
          </Link>
          <Link href={templatePath} aria-current={page === "template" ? "page" : undefined}>
            Template
          </Link>
          <Link href={settingsPath} aria-current={page === "settings" ? "page" : undefined}>
            Settings
          </Link>
        </nav>
      )}
    </header>
  );
}
