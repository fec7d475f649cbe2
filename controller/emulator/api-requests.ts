// The bodies that the API accepts.
import type { Context } from "hono";
import { z } from "zod";
import { machineConfig } from "../machines/wire.ts";
import { refused } from "./api-error.ts";
import { jsonBody } from "./route.ts";

/** The documentation says app_name, the schema says name; both are sent. */
export const createApp = z
  .looseObject({
    name: z.string().optional(),
    app_name: z.string().optional(),
    org_slug: z.string().min(1),
    network: z.string().optional(),
    idempotency_key: z.string().optional(),
  })
  .transform(({ name, app_name, ...rest }) => ({ ...rest, name: name ?? app_name ?? "" }));

export const createMachine = z.looseObject({
  name: z.string().optional(),
  region: z.string().optional(),
  config: machineConfig,
  skip_launch: z.boolean().optional(),
  lease_ttl: z.number().optional(),
});

export const updateMachine = z.looseObject({
  config: machineConfig,
  current_version: z.string().optional(),
  skip_launch: z.boolean().optional(),
});

/** Go text or nanoseconds. */
const goDuration = z.union([z.string(), z.number()]);
const signal = z.union([z.string(), z.number()]);

export const stopMachine = z.looseObject({ signal: signal.optional(), timeout: goDuration.optional() });
export const signalMachine = z.looseObject({ signal });
export const execMachine = z.looseObject({
  command: z.array(z.string()).optional(),
  cmd: z.string().optional(),
  stdin: z.string().optional(),
  timeout: z.number().optional(),
});
export const takeLease = z.looseObject({ ttl: z.number().optional(), description: z.string().optional() });
export const patchMetadata = z.looseObject({
  metadata: z.record(z.string(), z.string().nullable()),
  machine_version: z.string().optional(),
});
export const metadataValue = z.looseObject({ value: z.string() });
export const createVolume = z.looseObject({
  name: z.string().min(1),
  region: z.string(),
  size_gb: z.number().min(1).max(500).optional(),
});
export const assignIp = z.looseObject({
  type: z.enum(["v4", "v6", "shared_v4", "private_v6"]),
  region: z.string().optional(),
});

export async function parseBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await jsonBody(c));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refused("invalid_argument", `${issue?.path.join(".") || "body"}: ${issue?.message}`);
}
