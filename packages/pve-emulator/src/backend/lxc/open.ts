import { debianBase, type PayloadSources } from "@berth/template";
import { cacheDir } from "../../environment.ts";
import type { BaseArchive } from "../../storage/archives.ts";
import { idRangeOf } from "./id-range.ts";
import { LxcBackend } from "./lxc-backend.ts";
import { LxcDisks } from "./lxc-disks.ts";
import { openContainerNetwork } from "./network/open.ts";

/** Debian, made once a machine. */
export const cachedBase: BaseArchive = ({ report, signal }) => debianBase({ cacheDir: cacheDir(), report, signal });

export interface OpenLxcBackendOptions {
  readonly dataDir: string;
  readonly bridge: string;
  readonly isolated: boolean;
  /** The secret of the controller's token, from which the bootstrap keys are derived. */
  readonly tokenSecret: string;
  readonly base: BaseArchive;
  readonly payload?: PayloadSources;
  readonly report: (line: string) => void;
}

/** Opens the backend of LXC with the containers' network. Throws an error of one sentence where it cannot be had. */
export async function openLxcBackend(options: OpenLxcBackendOptions): Promise<LxcBackend> {
  const { dataDir, bridge, isolated, tokenSecret, base, payload, report } = options;
  const ids = await idRangeOf(dataDir);
  const template = { base, tokenSecret, ...(payload ? { payload } : {}) };
  const disks = new LxcDisks({ dataDir, cacheDir: cacheDir(), ids, template, report });
  const network = await openContainerNetwork({ dataDir, isolated, bridge, report });
  return new LxcBackend({ dataDir, ids, disks, network, report });
}
