// What is not of one app: an organisation's machines, regions, and who the token is.
import { Hono } from "hono";
import { failed } from "./api-error.ts";
import type { Cloud } from "./cloud.ts";
import { isFinal, overview } from "./machine-record.ts";
import { regionList } from "./regions.ts";
import type { Route } from "./route.ts";

const PAGE = 1000;

export function organizationRoutes(cloud: Cloud, route: Route): Hono {
  const api = new Hono();
  api.get(
    "/orgs/:org/machines",
    route("org-machines", (c) => {
      const apps = new Set(cloud.apps.list(c.req.param("org") ?? "").map((app) => app.name));
      const since = Date.parse(c.req.query("updated_after") ?? "") || 0;
      const limit = Math.min(Number(c.req.query("limit") ?? PAGE) || PAGE, PAGE);
      const offset = Number(c.req.query("cursor") ?? 0);
      if (!Number.isInteger(offset)) throw failed(400, "invalid_argument: invalid cursor");
      const seen = cloud
        .allMachines()
        .filter((record) => apps.has(record.app) && record.updatedAt >= since)
        .filter((record) => !isFinal(record) || c.req.query("include_deleted") === "true")
        .filter((record) => cloud.clock.now() - record.updatedAt >= cloud.knobs.listLagMs)
        .sort((a, b) => a.updatedAt - b.updatedAt);
      const machines = seen.slice(offset, offset + limit).map(overview);
      const next = offset + machines.length < seen.length ? { next_cursor: String(offset + machines.length) } : {};
      return c.json({ machines, ...next });
    }),
  );
  api.get(
    "/platform/regions",
    route("regions", (c) => c.json(regionList(cloud.faults))),
  );
  api.get(
    "/tokens/current",
    route("token", (c) =>
      c.json({ tokens: [{ token_id: "emulator", organization: "personal", org_slug: "personal" }] }),
    ),
  );
  return api;
}
