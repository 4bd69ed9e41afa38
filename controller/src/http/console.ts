import { stat } from "node:fs/promises";
import { join, normalize } from "node:path";
import { BerthError } from "@berth/protocol";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { addPageHeaders } from "./security-headers.ts";

const notBuilt =
  "<!doctype html><meta charset=utf-8><title>Berth</title><p>The console is not built. Run <code>npm run build</code> and reload this page.";

/**
 * Serves the console's files, and its one page for every address that is the console's own affair. It hangs on the
 * not-found handler and not on a wildcard route, which would catch unknown calls below `/api` before their own checks.
 */
export async function serveConsole(server: FastifyInstance, folder: string | undefined): Promise<void> {
  if (folder) await server.register(fastifyStatic, { root: folder, serve: false, cacheControl: false });
  server.setNotFoundHandler(async (request, reply) => {
    const path = pathOf(request);
    const mayBePage = ["GET", "HEAD"].includes(request.method) && !request.ws;
    if (!mayBePage || path === undefined || path.startsWith("/api/")) {
      throw new BerthError("not_found", "There is nothing at this address.");
    }
    addPageHeaders(request, reply);
    if (folder && path !== "/" && (await isFile(join(folder, path)))) return sendFile(reply, path);
    if (!wantsPage(request)) throw new BerthError("not_found", "There is nothing at this address.");
    if (folder && (await isFile(join(folder, "index.html")))) return sendFile(reply, "/index.html");
    return reply.code(503).type("text/html; charset=utf-8").send(notBuilt);
  });
}

/** The decoded path; undefined: it is not one, or leads out of the folder. */
function pathOf(request: FastifyRequest): string | undefined {
  try {
    const path = decodeURIComponent(request.url.split("?", 1)[0] ?? "");
    return normalize(path) === path && !path.includes("\0") ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Vite names the files in `assets` by their contents: they never change. The page that names them may. */
function sendFile(reply: FastifyReply, path: string): FastifyReply {
  const immutable = path.startsWith("/assets/");
  reply.header("cache-control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
  return reply.sendFile(path.slice(1));
}

function wantsPage(request: FastifyRequest): boolean {
  return request.headers.accept === undefined || /text\/html|\*\/\*/.test(request.headers.accept);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
