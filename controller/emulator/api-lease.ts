// /lease of a machine. Answers come in a wrapper, as Fly's client reads them; a fault switch takes it off.
import type { Hono } from "hono";
import { failed } from "./api-error.ts";
import { parseBody, takeLease as takeLeaseBody } from "./api-requests.ts";
import type { Cloud } from "./cloud.ts";
import { activeLease, DEFAULT_TTL_SECONDS, leaseView, releaseLease, takeLease } from "./lease.ts";
import { idOf, machineOf, nonceOf, type Route } from "./route.ts";

const PATH = "/apps/:app/machines/:id/lease";

export function leaseRoutes(api: Hono, cloud: Cloud, route: Route): void {
  const wrapped = (data: Record<string, unknown>) => (cloud.faults.flatLeases ? data : { status: "success", data });

  api.get(
    PATH,
    route(
      "lease-get",
      (c) => {
        const record = machineOf(cloud, c);
        const lease = activeLease(record, cloud.clock.now());
        if (!lease) throw failed(404, "lease not found");
        return c.json(wrapped(leaseView(record, lease, false)));
      },
      idOf,
    ),
  );
  api.post(
    PATH,
    route(
      "lease",
      async (c) => {
        const body = await parseBody(c, takeLeaseBody);
        const record = machineOf(cloud, c);
        const ttlSeconds = body.ttl ?? (Number(c.req.query("ttl")) || DEFAULT_TTL_SECONDS);
        const terms = { ttlSeconds, description: body.description ?? "", nonce: nonceOf(c) };
        const lease = takeLease(record, terms, cloud.clock.now(), cloud.random);
        cloud.touched(record, { updated: false });
        return c.json(wrapped(leaseView(record, lease, true)), 201);
      },
      idOf,
    ),
  );
  api.delete(
    PATH,
    route(
      "lease-release",
      (c) => {
        const record = machineOf(cloud, c);
        releaseLease(record, nonceOf(c), cloud.clock.now());
        cloud.touched(record, { updated: false });
        return c.json({ ok: true });
      },
      idOf,
    ),
  );
}
