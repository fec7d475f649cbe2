// A machine's metadata can be changed without a new version and without a restart.
import type { Context, Hono } from "hono";
import { failed, refused } from "./api-error.ts";
import { metadataValue, parseBody, patchMetadata } from "./api-requests.ts";
import type { Cloud } from "./cloud.ts";
import type { MachineRecord } from "./machine-record.ts";
import { idOf, machineOf, type Route } from "./route.ts";

const PATH = "/apps/:app/machines/:id/metadata";

export function metadataRoutes(api: Hono, cloud: Cloud, route: Route): void {
  const keyOf = (c: Context) => c.req.param("key") ?? "";
  const change = (record: MachineRecord, metadata: Readonly<Record<string, string | null>>) => {
    const merged = Object.entries({ ...record.config.metadata, ...metadata });
    const kept = merged.flatMap(([key, value]) => (value ? [[key, value] as const] : []));
    record.config = { ...record.config, metadata: Object.fromEntries(kept) };
    cloud.touched(record, { updated: true });
  };
  const patch = route(
    "metadata",
    async (c) => {
      const request = await parseBody(c, patchMetadata);
      const record = machineOf(cloud, c);
      if (request.machine_version !== undefined && request.machine_version !== record.version) {
        throw refused("failed_precondition", "machine_version does not match the current version");
      }
      change(record, request.metadata);
      return c.body(null, 204);
    },
    idOf,
  );
  api.patch(PATH, patch);
  api.put(PATH, patch);
  api.get(
    PATH,
    route("metadata-get", (c) => c.json(machineOf(cloud, c).config.metadata ?? {}), idOf),
  );
  api.get(
    `${PATH}/:key`,
    route(
      "metadata-get",
      (c) => {
        const value = machineOf(cloud, c).config.metadata?.[keyOf(c)];
        if (value === undefined) throw failed(404, "metadata key not found");
        return c.json({ value });
      },
      idOf,
    ),
  );
  api.post(
    `${PATH}/:key`,
    route(
      "metadata",
      async (c) => {
        const { value } = await parseBody(c, metadataValue);
        change(machineOf(cloud, c), { [keyOf(c)]: value });
        return c.body(null, 204);
      },
      idOf,
    ),
  );
  api.delete(
    `${PATH}/:key`,
    route(
      "metadata",
      (c) => {
        change(machineOf(cloud, c), { [keyOf(c)]: null });
        return c.body(null, 204);
      },
      idOf,
    ),
  );
}
