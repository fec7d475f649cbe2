// Puts the app on a port, and takes it off again without breaking a request: streams end at once, what is under way is
// answered, and only what then still hangs is cut.
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Clock } from "../controller/kernel/clock.ts";
import type { Api } from "./api.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly clock: Clock;
}

export interface Listening {
  readonly url: string;
  readonly port: number;
  /** Resolves when no connection is left, at the latest shortly after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export async function listen(app: Api, { host, port, tls, clock }: ListenOptions): Promise<Listening> {
  const closing = new AbortController();
  const bindings = { closing: closing.signal };
  const listener = getRequestListener((request) => app.fetch(request, bindings), { overrideGlobalObjects: true });
  const server: Server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  // A TCP server that listens has an AddressInfo; only pipes have a string.
  const address = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`,
    port: address.port,
    async close(graceMs) {
      const done = new AbortController();
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      }).finally(() => done.abort());
      closing.abort();
      await Promise.race([closed, hangUp(server, clock, graceMs, done.signal)]);
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Connections are kept open for a next request; each is closed soon after the answer that it still waited for. */
async function hangUp(server: Server, clock: Clock, graceMs: number, done: AbortSignal): Promise<void> {
  const endMs = clock.monotonic() + graceMs;
  while (!done.aborted && clock.monotonic() < endMs) {
    server.closeIdleConnections();
    await clock.sleep(IDLE_CHECK_MS, done).catch(() => undefined); // everything is closed
  }
}

const IDLE_CHECK_MS = 20;
