import { type BootstrapRequest, bootstrapRequestSchema, parseJson } from "@berth/protocol";
import { Value } from "typebox/value";

/** Reads what `bootstrapRequestText` makes; undefined if it is cut short, or none. */
export function readBootstrapRequest(text: string): BootstrapRequest | undefined {
  const lines = text.split("\n");
  if (lines[0] !== "berth-bootstrap 1" || lines.at(-2) !== "end" || lines.at(-1) !== "") return undefined;
  const of = (name: string) =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const request = {
    hostname: of("hostname")[0],
    hostCertificate: of("host-certificate")[0],
    authorizedKeys: of("authorized-key"),
    hostKey: { privateKey: `${of("host-key").join("\n")}\n`, publicKey: of("host-key-public")[0] },
    agent: parseJson(of("agent")[0] ?? ""),
  };
  return Value.Check(bootstrapRequestSchema, request) ? request : undefined;
}
