import { guestPaths } from "@berth/protocol";
import type { SshConnection } from "../bootstrap/connect.ts";
import type { WantedAccess } from "./access-wanted.ts";

const timeoutMs = 30_000;
const maxAnswerBytes = 8 * 1024;
const maxToldCharacters = 300;

/**
 * Puts the keys of people and the host certificate where the sandbox's SSH server looks. It takes turns with the
 * bootstrap, replaces each file in one step, and may be repeated. `BERTH_ROOT` is the root folder where containers are
 * processes. No text of anybody's is in it: that comes by standard input.
 */
const script = `set -u
export LC_ALL=C
root=\${BERTH_ROOT:-}
folder=$root/etc/ssh
keys='' certificate='' name='' line='' newline='
'
while IFS= read -r line; do
  case $line in
    'key '*) keys=$keys\${line#* }$newline ;;
    'certificate '*) certificate=\${line#* }$newline ;;
    'name '*) name=\${line#* } ;;
    *) break ;;
  esac
done
[ "$line" = end ] && [ -n "$keys" ] && [ -n "$certificate" ] && [ -n "$name" ] || exit 65
exec 9<"$folder" && flock -w 20 9 || exit 75
umask 022
put() {
  rm -f "$1.new" && printf %s "$2" >"$1.new" && sync "$1.new" && mv -fT "$1.new" "$1" || exit 73
}
put "$root/${guestPaths.authorizedKeys}" "$keys"
signed=$root/${guestPaths.sshHostCertificate}
# What lies there until the server has been told of the new certificate.
untold=$signed.untold
if [ -f "$untold" ] || [ "$(cat "$signed" 2>/dev/null)$newline" != "$certificate" ]; then
  : >"$untold" && sync "$untold" || exit 73
  put "$signed" "$certificate"
fi
sync "$folder"
if [ "$(cat "$root/etc/hostname" 2>/dev/null)" != "$name" ]; then
  # In a folder the name is the machine's own.
  if [ -z "$root" ]; then
    hostname "$name" || exit 71
    # Without its name there \`sudo\` would wait for a name server.
    put /etc/hosts "$(grep -v '^127[.]0[.]1[.]1[[:space:]]' /etc/hosts)\${newline}127.0.1.1	$name$newline"
  fi
  # Last, since it says that all of it is done.
  put "$root/etc/hostname" "$name$newline"
fi
# Keys are read at each login; a certificate only by a new start, in which the server refuses connections for a moment.
[ -f "$untold" ] || { echo delivered; exit 0; }
pid=''
[ -f "$root/run/sshd.pid" ] && IFS= read -r pid <"$root/run/sshd.pid"
case $pid in '' | 0 | 1 | *[!0-9]*) pid='' ;; esac
[ -n "$pid" ] && kill -s HUP "$pid" || [ -n "$root" ] || systemctl try-reload-or-restart ssh.service || exit 69
rm -f "$untold" || exit 73
echo delivered
`;

/** Gives a sandbox what its SSH server is to know, and its host name. Rejects with what went wrong there, shortened. */
export function deliverAccess(connection: SshConnection, wanted: WantedAccess, name: string): Promise<void> {
  const keys = wanted.authorizedKeys.map((key) => `key ${key}`);
  const lines = [...keys, `certificate ${wanted.certificate}`, `name ${name}`, "end", ""];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail("it did not end within 30 seconds"), timeoutMs);
    const fail = (reason: string) => {
      clearTimeout(timer);
      connection.client.destroy();
      reject(new Error(`the keys could not be put into the sandbox: ${reason}`));
    };
    connection.client.once("close", () => fail("the connection was cut"));
    connection.client.exec(script, (error, channel) => {
      if (error) return fail(error.message);
      let answer = "";
      const take = (bytes: Buffer) => {
        if (answer.length < maxAnswerBytes) answer += bytes.toString("latin1");
      };
      channel.on("data", take);
      channel.stderr.on("data", take);
      channel.on("error", () => {});
      channel.once("close", (code: unknown) => {
        clearTimeout(timer);
        if (code === 0 && answer.endsWith("delivered\n")) resolve();
        else fail(`it ended with ${String(code)}, ${JSON.stringify(answer.slice(0, maxToldCharacters))}`);
      });
      channel.end(lines.join("\n"));
    });
  });
}
