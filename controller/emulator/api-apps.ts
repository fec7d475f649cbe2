// /v1/apps: apps, their volumes and their addresses.
import { type Context, Hono } from "hono";
import { preciseTimestamp } from "../kernel/clock.ts";
import { failed } from "./api-error.ts";
import { assignIp, createApp, createVolume, parseBody } from "./api-requests.ts";
import type { AppRecord } from "./apps.ts";
import type { Cloud } from "./cloud.ts";
import { isFinal } from "./machine-record.ts";
import { appOf, type Route } from "./route.ts";
import { volumeView } from "./volumes.ts";

export function appRoutes(cloud: Cloud, route: Route): Hono {
  const api = new Hono();
  const view = (app: AppRecord) => ({
    id: app.name,
    name: app.name,
    status: cloud.machinesOf(app.name).some((machine) => !isFinal(machine)) ? "deployed" : "pending",
    network: app.network,
    internal_numeric_id: app.numericId,
    machine_count: cloud.machinesOf(app.name).filter((machine) => !isFinal(machine)).length,
    volume_count: cloud.volumes.list(app.name).length,
    organization: { name: app.organization, slug: app.organization },
  });

  api.get(
    "/apps",
    route("app-list", (c) => {
      const organization = c.req.query("org_slug");
      if (!organization) throw failed(400, "invalid_argument: org_slug is required");
      const apps = cloud.apps.list(organization).map(view);
      return c.json({ apps, total_apps: apps.length });
    }),
  );
  api.post(
    "/apps",
    route("app-create", async (c) => {
      const request = await parseBody(c, createApp);
      const app = cloud.createApp({
        name: request.name,
        organization: request.org_slug,
        network: request.network,
        idempotencyKey: request.idempotency_key,
      });
      return c.json({ id: app.name, created_at: app.createdAt }, 201);
    }),
  );
  api.get(
    "/apps/:app",
    route("app-get", (c) => c.json(view(cloud.apps.get(appOf(c)))), appOf),
  );
  api.delete(
    "/apps/:app",
    route("app-delete", (c) => {
      cloud.deleteApp(appOf(c));
      return c.body(null, 202);
    }),
  );
  volumeRoutes(api, cloud, route);
  addressRoutes(api, cloud, route);
  return api;
}

function volumeRoutes(api: Hono, cloud: Cloud, route: Route): void {
  const id = (c: Context) => c.req.param("volume") ?? "";
  const inApp = (c: Context) => cloud.apps.get(appOf(c)).name;
  api.get(
    "/apps/:app/volumes",
    route("volume-list", (c) => c.json(cloud.volumes.list(inApp(c)).map(volumeView)), appOf),
  );
  api.post(
    "/apps/:app/volumes",
    route(
      "volume-create",
      async (c) => {
        const request = await parseBody(c, createVolume);
        return c.json(volumeView(cloud.volumes.create(inApp(c), request.name, request.region, request.size_gb ?? 3)));
      },
      appOf,
    ),
  );
  api.get(
    "/apps/:app/volumes/:volume",
    route("volume-get", (c) => c.json(volumeView(cloud.volumes.get(inApp(c), id(c)))), id),
  );
  api.delete(
    "/apps/:app/volumes/:volume",
    route("volume-delete", (c) => c.json(volumeView(cloud.volumes.delete(inApp(c), id(c)))), id),
  );
}

/** Addresses that lead nowhere: nothing outside this computer reaches an emulated machine. */
function addressRoutes(api: Hono, cloud: Cloud, route: Route): void {
  const assigned = new Map<string, Record<string, unknown>[]>();
  const of = (c: Context) => assigned.get(cloud.apps.get(appOf(c)).name) ?? [];
  api.get(
    "/apps/:app/ip_assignments",
    route("ip-list", (c) => c.json({ ips: of(c) }), appOf),
  );
  api.post(
    "/apps/:app/ip_assignments",
    route(
      "ip-create",
      async (c) => {
        const { type, region } = await parseBody(c, assignIp);
        const before = of(c);
        const last = before.length + 1;
        const ip = {
          v4: `192.0.2.${last}`,
          shared_v4: "192.0.2.254",
          v6: `2001:db8::${last}`,
          private_v6: `fdaa::${last}`,
        };
        if (type === "shared_v4" && before.some((each) => each.shared)) {
          throw failed(422, "Validation failed: shared v4 address is already allocated");
        }
        const row = {
          ip: ip[type],
          region: region ?? "global",
          shared: type === "shared_v4",
          created_at: preciseTimestamp(cloud.clock.now()),
        };
        assigned.set(appOf(c), [...before, row]);
        return c.json(row);
      },
      appOf,
    ),
  );
  api.delete(
    "/apps/:app/ip_assignments/:ip",
    route(
      "ip-delete",
      (c) => {
        const kept = of(c).filter(({ ip }) => ip !== c.req.param("ip"));
        if (kept.length === of(c).length) throw failed(404, "IP address not found");
        assigned.set(appOf(c), kept);
        return c.body(null, 204);
      },
      appOf,
    ),
  );
}
