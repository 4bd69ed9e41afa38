import { formatPropertyString } from "../property-string.ts";

/**
 * How a container is made from an archive. There are no tags here: PVE looks for the right to set them on the new
 * container alone and not on its pool, so a token whose rights come from the pool is refused (403). Set them with
 * `configure` once the task has ended.
 */
export interface CreateOptions {
  /** The container's id; taken by this very call, or refused with `exists`. */
  readonly vmid: number;
  /** A volume such as `local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst`; see `StoragesApi.templates`. */
  readonly osTemplate: string;
  /** Where its root disk goes. */
  readonly storage: string;
  readonly diskGiB: number;
  /** Given always: what PVE takes when it is not given differs between versions. */
  readonly unprivileged: boolean;
  readonly hostname?: string | undefined;
  /**
   * Kept in the configuration from the moment that the archive is unpacked, not before: while the task runs, the
   * configuration is a lock (`create`) and nothing else.
   */
  readonly description?: string | undefined;
  /** Joined at the end of the task. */
  readonly pool?: string | undefined;
  readonly cores?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly swapMiB?: number | undefined;
  /** A property string, such as `name=eth0,bridge=vmbr0,ip=dhcp`; see `formatPropertyString`. */
  readonly net0?: string | undefined;
  /** `nesting=1` needs VM.Allocate and an unprivileged container; the others are for root@pam itself. */
  readonly features?: string | undefined;
  readonly nameserver?: string | undefined;
  readonly searchDomain?: string | undefined;
  /** Who may sign in as root; public keys as OpenSSH writes them. */
  readonly sshPublicKeys?: readonly string[] | undefined;
  readonly startsAtBoot?: boolean | undefined;
  /** Start it when it is made; that is a task of its own, which this one does not wait for. */
  readonly start?: boolean | undefined;
}

/** The parameters of a creation but for its two required ones; undefined ones among them. */
export function creationParameters(options: CreateOptions) {
  const keys = options.sshPublicKeys ?? [];
  return {
    unprivileged: options.unprivileged,
    rootfs: formatPropertyString({ volume: `${options.storage}:${options.diskGiB}` }, "volume"),
    hostname: options.hostname,
    description: options.description,
    pool: options.pool,
    cores: options.cores,
    memory: options.memoryMiB,
    swap: options.swapMiB,
    net0: options.net0,
    features: options.features,
    nameserver: options.nameserver,
    searchdomain: options.searchDomain,
    "ssh-public-keys": keys.length > 0 ? keys.join("\n") : undefined,
    onboot: options.startsAtBoot,
    start: options.start,
  };
}
