/** What a volume's name tells of it. */
export interface VolumeId {
  readonly storage: string;
  /** `vztmpl`, `iso`, `backup`, or `images` for a container's disk. */
  readonly content: "vztmpl" | "iso" | "backup" | "images";
  /** The file's name, of a container's disk with its vmid in front. */
  readonly name: string;
}

/** Takes `STORAGE:NAME` apart; undefined when it is not of that form, such as a path. */
export function splitVolumeId(volid: string): { storage: string; name: string } | undefined {
  const [, storage, name] = /^([a-z][a-z0-9\-_.]*[a-z0-9]):(.+)$/i.exec(volid) ?? [];
  return storage === undefined || name === undefined ? undefined : { storage, name };
}

/** Reads a volume's name as PVE's directory storages do; undefined when it is none. */
export function parseVolumeId(volid: string): VolumeId | undefined {
  const parts = splitVolumeId(volid);
  if (!parts) return undefined;
  const { storage, name } = parts;
  const archive = /^vztmpl\/([^/]+\.tar\.(?:gz|xz|zst|bz2))$/.exec(name)?.[1];
  if (archive !== undefined) return { storage, content: "vztmpl", name: archive };
  const image = /^iso\/([^/]+\.(?:iso|img))$/i.exec(name)?.[1];
  if (image !== undefined) return { storage, content: "iso", name: image };
  const backup = /^backup\/([^/]+)$/.exec(name)?.[1];
  if (backup !== undefined) return { storage, content: "backup", name: backup };
  return /^\d+\/[^/]+$/.test(name) ? { storage, content: "images", name } : undefined;
}
