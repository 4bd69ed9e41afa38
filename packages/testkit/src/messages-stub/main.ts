/** Runs the stub alone, to try Berth without an account: `node packages/testkit/src/messages-stub/main.ts --port 8080`. */
import { parseArgs } from "node:util";
import { scriptedResponder, scriptHelp } from "./script.ts";
import { startMessagesStub } from "./server.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    token: { type: "string" },
    "line-delay-ms": { type: "string", default: "50" },
  },
});

const stub = await startMessagesStub({
  port: Number(values.port),
  ...(values.token === undefined ? {} : { token: values.token }),
  responder: scriptedResponder({ lineDelayMs: Number(values["line-delay-ms"]) }),
});
const settings = Object.entries(stub.environment).map(([name, value]) => `export ${name}=${value}`);
process.stdout.write(`${stub.url}\n`);
process.stderr.write(`${settings.join("\n")}\n\nPrompts that it understands:\n${scriptHelp}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stub.dispose());
