import { run } from "./command.ts";
import { lxcPath, quote, volumes } from "./start-script.ts";

/**
 * Copies a container's changes from its image into a layer's folder, with what overlays keep of deleted files, and with
 * its volumes in their places. The layer goes on top of those that the container has.
 */
export async function copyChanges(image: string, folder: string): Promise<void> {
  const upper = `${lxcPath}/upper`;
  const copyVolume = ([name, path]: readonly [string, string]) => `
if [ -n "$(ls -A ${lxcPath}/${name} 2>/dev/null)" ] && ! [ -L "$target/var" ] && ! [ -L "$target/var/lib" ]; then
  for folder in var var/lib; do
    if ! [ -d "$target/$folder" ]; then
      mkdir "$target/$folder"
      chown --reference="$target" "$target/$folder"
      chmod 755 "$target/$folder"
    fi
  done
  rm -rf "$target/${path}"
  cp -a ${lxcPath}/${name} "$target/${path}"
fi
`;
  const script = `
set -e
target=${quote(folder)}
mount -o loop,noatime ${quote(image)} ${lxcPath}
cp -a ${upper}/. "$target/"
${Object.entries(volumes).map(copyVolume).join("")}
`;
  await run("unshare", ["--mount", "--propagation", "private", "--", "/bin/sh", "-c", script]);
}
