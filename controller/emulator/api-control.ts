// What no real cloud has: switching faults, ending a machine's process, moving it, and reading what it cost. With the
// token and on loopback only, as everything here.
import { Hono } from "hono";
import { z } from "zod";
import { failed } from "./api-error.ts";
import { parseBody } from "./api-requests.ts";
import type { Cloud } from "./cloud.ts";
import { changeFaults, clearFaults } from "./faults.ts";
import { isFinal } from "./machine-record.ts";
import { jsonBody } from "./route.ts";

const reference = z.strictObject({ app: z.string(), id: z.string() });

export function controlRoutes(cloud: Cloud): Hono {
  const api = new Hono();
  api.get("/", (c) => {
    const alive = cloud.allMachines().filter((record) => !isFinal(record)).length;
    return c.json({ emulator: "fly-machines", machines: alive, faults: cloud.faults });
  });
  api.get("/faults", (c) => c.json(cloud.faults));
  api.post("/faults", async (c) => {
    const changes = await jsonBody(c);
    try {
      changeFaults(cloud.faults, Object(changes));
    } catch (error) {
      if (error instanceof z.ZodError) throw failed(400, `invalid_argument: ${z.prettifyError(error)}`);
      throw error;
    }
    return c.json(cloud.faults);
  });
  api.delete("/faults", (c) => {
    clearFaults(cloud.faults);
    return c.body(null, 204);
  });
  api.post("/migrate", async (c) => {
    const { app, id } = await parseBody(c, reference);
    cloud.migrate(cloud.machine(app, id));
    return c.json({ ok: true });
  });
  api.get("/usage", (c) => c.json(cloud.usage()));
  return api;
}
