import { networkInterfaces } from "node:os";
import { expect, it } from "vitest";
import { urlFromContainers } from "../src/embedded/machine-services.ts";

const host = "10.1.2.1";

it.each([
  ["http://127.0.0.1:4000", { url: `http://${host}:4000`, service: { port: 4000, address: "127.0.0.1" } }],
  ["http://localhost:4000/v1", { url: `http://${host}:4000/v1`, service: { port: 4000, address: "127.0.0.1" } }],
  ["http://127.8.9.10/", { url: `http://${host}/`, service: { port: 80, address: "127.8.9.10" } }],
  ["https://localhost", { url: `https://${host}`, service: { port: 443, address: "127.0.0.1" } }],
  [`http://${host}:99/x/`, { url: `http://${host}:99/x/`, service: { port: 99, address: host } }],
  ["https://api.example.org/base", { url: "https://api.example.org/base", service: undefined }],
  ["http://10.1.2.9:4000", { url: "http://10.1.2.9:4000", service: undefined }],
])("shows containers %s as %j", (url, seen) => {
  expect(urlFromContainers(url, host)).toEqual(seen);
});

it("knows the machine's own addresses", () => {
  const own = Object.values(networkInterfaces())
    .flatMap((cards) => cards ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal);
  if (!own) return;
  const seen = urlFromContainers(`http://${own.address}:81`, host);
  expect(seen).toEqual({ url: `http://${host}:81`, service: { port: 81, address: own.address } });
});
