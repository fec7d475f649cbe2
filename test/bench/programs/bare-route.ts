// The first bound: a bare hono route that parses an Instance with the same schema, and does nothing with it.
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { z } from "zod";
import { instanceSpec } from "../../../crds/instance.ts";
import { objectMeta } from "../../../crds/resource.ts";
import { serve } from "./serve.ts";

const schema = z.strictObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: objectMeta,
  spec: instanceSpec,
});

const app = new Hono();
app.post("/instances", async (c) => {
  const { metadata } = schema.parse(await c.req.json());
  return c.json({ name: metadata.name }, 201);
});

const server = createAdaptorServer({ fetch: app.fetch });
const listening = new Promise<string>((resolve) => {
  // Listening on a host and a port, it has both.
  server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
});

const procedures = { origin: () => listening };
export type BareRouteProcedures = typeof procedures;
serve(procedures);
