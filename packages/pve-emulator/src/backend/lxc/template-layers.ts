import { createHash } from "node:crypto";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bundledTemplateKeys } from "@berth/base/node";
import { guestPaths } from "@berth/protocol";
import {
  fetchedParts,
  findPayload,
  type Payload,
  type PayloadSources,
  payloadArchive,
  provisionScript,
  templateVersion,
} from "@berth/template";
import type { BaseArchive } from "../../storage/archives.ts";
import { run } from "./command.ts";
import { archiveLayerId } from "./extraction.ts";
import type { GuestFile } from "./guest-files.ts";
import { asContainerRoot, type IdRange } from "./id-range.ts";
import type { LayerRecipe, Layers } from "./layers.ts";
import { lxcPath, quote, rootfs } from "./start-script.ts";

/** What the bundled template is made from. */
export interface TemplateSources {
  /** Gets the archive of a plain Debian. */
  readonly base: BaseArchive;
  /** The secret of the controller's token, from which the bootstrap keys are derived. */
  readonly tokenSecret: string;
  readonly payload?: PayloadSources;
}

interface TemplateOptions extends TemplateSources {
  readonly ids: IdRange;
  readonly report: (line: string) => void;
}

/**
 * Makes the layers of the bundled template where they are not there yet: a plain Debian, and all that Berth adds to it,
 * which is another one for each version of that. Calls `use` with their ids, the uppermost first.
 */
export async function templateLayers<T>(
  layers: Layers,
  options: TemplateOptions,
  use: (ids: readonly string[]) => Promise<T>,
): Promise<T> {
  const { report } = options;
  const payload = await findPayload(options.payload);
  const archive = await options.base({ report, signal: new AbortController().signal });
  const base = await archiveLayerId(archive);
  const script = provisioning(payload);
  const programs = `payload-${hashOf(base, payload.version, script)}`;
  const keys = keyFiles(options.tokenSecret);
  const top = `keys-${hashOf(programs, ...keys.map(({ contents }) => contents))}`;
  const recipes: LayerRecipe[] = [
    {
      id: base,
      shared: true,
      fill: async (folder) => {
        report("unpacking Debian");
        await layers.unpack(folder, archive);
      },
    },
    {
      id: programs,
      shared: true,
      fill: async (folder) => {
        report("adding Berth's own programs");
        await provision({ below: layers.path(base), folder, payload, script }, options);
      },
    },
    { id: top, shared: false, fill: (folder) => writeOwned(folder, keys, options.ids) },
  ];
  const nested = recipes.reduceRight<() => Promise<T>>(
    (inner, recipe) => () => layers.with(recipe, inner),
    () => use([top, programs, base]),
  );
  return nested();
}

const hashOf = (...parts: readonly string[]) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);

/** The same in every data folder, so that they can share what it makes: the keys in it are hidden by the layer above. */
function provisioning(payload: Payload): string {
  const { host, client } = bundledTemplateKeys("00000000-0000-0000-0000-000000000000");
  return provisionScript({
    optional: fetchedParts,
    version: templateVersion(payload),
    bootstrap: { hostPrivateKey: host.privateKey, clientPublicKey: client.publicKey },
  });
}

/** The keys that the controller of this data folder can work out too. */
function keyFiles(tokenSecret: string): readonly GuestFile[] {
  const { host, client } = bundledTemplateKeys(tokenSecret);
  return [
    { path: guestPaths.sshHostKey, contents: `${host.privateKey.trimEnd()}\n`, mode: 0o600 },
    { path: `${guestPaths.sshHostKey}.pub`, contents: `${host.publicKey}\n`, mode: 0o644 },
    { path: guestPaths.authorizedKeys, contents: `${client.publicKey}\n`, mode: 0o644 },
  ];
}

/** Writes files into a fresh layer, whose folders are like Debian's. */
async function writeOwned(folder: string, files: readonly GuestFile[], { first }: IdRange): Promise<void> {
  for (const { path, contents, mode } of files) {
    let parent = folder;
    for (const part of dirname(path).split("/")) {
      parent = join(parent, part);
      await mkdir(parent, { recursive: true, mode: 0o755 });
      await chown(parent, first, first);
    }
    await writeFile(join(folder, path), contents, { mode });
    await chown(join(folder, path), first, first);
  }
}

interface Provisioning {
  readonly below: string;
  readonly folder: string;
  readonly payload: Payload;
  readonly script: string;
}

/**
 * Unpacks the payload and runs the provisioning on an overlay, whose changes are the layer. The programs run as the
 * containers' root, in a mount namespace and with processes of their own.
 */
async function provision({ below, folder, payload, script }: Provisioning, { ids }: TemplateOptions) {
  const work = `${folder}.work`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { mode: 0o700 });
  const inside = `
set -e
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs none ${rootfs}/run
mount --rbind /dev ${rootfs}/dev
mount -t proc proc ${rootfs}/proc
rm -f ${rootfs}/etc/resolv.conf
cp /etc/resolv.conf ${rootfs}/etc/resolv.conf || true
printf %s "$1" | chroot ${rootfs} /bin/sh -s
rm -f ${rootfs}/etc/resolv.conf
`;
  const asRoot = asContainerRoot(ids).join(" ");
  const outside = `
set -e
export PATH=/usr/sbin:/sbin:/usr/bin:/bin
mount -t tmpfs -o mode=755,size=1m none ${lxcPath}
mkdir ${rootfs}
mount -t overlay overlay -o ${quote(`lowerdir=${below},upperdir=${folder},workdir=${work},redirect_dir=on`)} ${rootfs}
cd ${rootfs}
PATH=/usr/sbin:/sbin ${asRoot} /usr/bin/tar -x -p --numeric-owner --keep-directory-symlink -f -
exec env PATH=/usr/sbin:/sbin ${asRoot} /usr/bin/unshare --mount --pid --fork --propagation private /bin/sh -c "$1" sh "$2" </dev/null
`;
  try {
    const words = ["--mount", "--propagation", "private", "--", "/bin/sh", "-c", outside, "sh", inside, script];
    await run("unshare", words, { input: payloadArchive(payload) });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
