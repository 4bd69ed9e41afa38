import { guestPaths, guestUser } from "@berth/protocol";
import { templatePaths } from "../payload/paths.ts";
import type { Step } from "./shell.ts";

const node = `/${templatePaths.node}`;
const programs = `/${guestPaths.programs}`;

/**
 * Runs each program of Berth's for a moment, so that Node keeps what V8 made of it. The starts of many sandboxes at once
 * are mostly the starts of these programs. Node keeps the work of each user apart, and takes it only for the same
 * sources, the same Node and the same kind of processor: anything else is compiled as if there were none. Nobody but
 * root may change it, since what is in it runs.
 */
export const compileStep: Step = {
  name: "compile",
  functions: `
# Runs a program as ${guestUser} until it says this word.
run_until() {
  setpriv --reuid=${guestUser} --regid=${guestUser} --init-groups env HOME=/home/${guestUser} ${node} "${programs}/launch.mjs" "$2" >"$said" 2>&1 &
  pid=$!
  tries=0
  until grep -q "$1" "$said" || [ "$tries" = 100 ] || ! kill -0 "$pid" 2>/dev/null; do
    sleep 0.1
    tries=$((tries + 1))
  done
  grep -q "$1" "$said" || say_skipped compiled-programs "$2 does not say '$1'"
  kill "$pid" 2>/dev/null || true
  wait "$pid" || true
}
`,
  script: `
said=$(mktemp)
rm -rf /${templatePaths.compiled}
install -d -o ${guestUser} -g ${guestUser} /${templatePaths.compiled}
install -d -m 700 -o ${guestUser} -g ${guestUser} /${guestPaths.run}
export NODE_COMPILE_CACHE=/${templatePaths.compiled}
run_until 'serves' pty-host
run_until 'stays silent' agent
unset NODE_COMPILE_CACHE
rm -rf "$said" /${guestPaths.run} /${guestPaths.terminals} /${guestPaths.updates}
chown -R root:root /${templatePaths.compiled}
chmod -R u=rwX,go=rX /${templatePaths.compiled}
`,
};
