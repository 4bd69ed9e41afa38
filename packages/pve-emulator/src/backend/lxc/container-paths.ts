import { join } from "node:path";

/** Where one container's things are in the data folder. */
export class ContainerPaths {
  /** The container's own folder; the emulator's core keeps its configuration there too. */
  readonly folder: string;
  /** What its disk consists of: see `disk-record.ts`. */
  readonly record: string;
  /** A file system with the container's own changes. A template has none. */
  readonly image: string;
  /** LXC's configuration, written anew at every start. */
  readonly config: string;
  /** What LXC said at the last start and since. */
  readonly log: string;
  /** Why the container ended, in LXC's word: `stop` or `reboot`. */
  readonly ended: string;
  readonly snapshots: string;

  constructor(dataDir: string, vmid: number) {
    this.folder = join(dataDir, "containers", String(vmid));
    this.record = join(this.folder, "disk.json");
    this.image = join(this.folder, "disk.img");
    this.config = join(this.folder, "lxc.conf");
    this.log = join(this.folder, "lxc.log");
    this.ended = join(this.folder, "ended");
    this.snapshots = join(this.folder, "snapshots");
  }

  snapshot(name: string): string {
    return join(this.snapshots, `${name}.img`);
  }
}
