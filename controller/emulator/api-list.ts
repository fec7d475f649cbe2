// GET /v1/apps/{app}/machines: filters, pages, and how far behind it is.
import type { Context } from "hono";
import { PHASES } from "../machines/model.ts";
import { failed } from "./api-error.ts";
import type { Cloud } from "./cloud.ts";
import { type MachineRecord, machineView, phaseSeen } from "./machine-record.ts";

const MAX_LIMIT = 1000;

export function listMachines(cloud: Cloud, c: Context): Response {
  const { name } = cloud.apps.get(c.req.param("app") ?? "");
  if (cloud.faults.emptyList) return c.json([]);
  const now = cloud.clock.now();
  const lagMs = cloud.knobs.listLagMs;
  const query = new URL(c.req.url).searchParams;
  const seen = cloud
    .machinesOf(name)
    .filter((record) => now - record.createdAt >= lagMs)
    .map((record) => ({ record, phase: phaseSeen(record, now, lagMs) }))
    .filter(({ record, phase }) => matches(record, PHASES[phase].shown, query));
  const { items, cursor } = page(seen, query, cloud.faults.shortPages ?? false);
  if (cursor !== undefined) c.header("fly-next-cursor", cursor);
  const summary = query.get("summary") === "true";
  const lease = query.get("include_leases") === "true";
  return c.json(
    items.map(({ record, phase }) =>
      machineView(record, { phase, summary, lease, unreachable: cloud.isUnreachable(record), nowMs: now }),
    ),
  );
}

function matches(record: MachineRecord, state: string, query: URLSearchParams): boolean {
  if (state === "destroyed" && !["true", "", "1"].includes(query.get("include_deleted") ?? "false")) return false;
  const region = query.get("region");
  if (region && record.region !== region) return false;
  const states = query.get("state");
  if (states && !states.split(",").includes(state)) return false;
  return [...query].every(
    ([key, value]) => !key.startsWith("metadata.") || record.config.metadata?.[key.slice("metadata.".length)] === value,
  );
}

/** After this sign a cursor has already been answered with an empty page. */
const SKIPPED = "~";

/** The cursor is the id of the last machine shown. With `short`, every second page is empty and the others hold half. */
function page<T extends { readonly record: MachineRecord }>(
  all: readonly T[],
  query: URLSearchParams,
  short: boolean,
): { readonly items: readonly T[]; readonly cursor: string | undefined } {
  const limit = Number(query.get("limit") ?? MAX_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw failed(400, `invalid_argument: limit must be between 1 and ${MAX_LIMIT}`);
  }
  const given = query.get("cursor") ?? "";
  if (short && !given.startsWith(SKIPPED)) return { items: [], cursor: SKIPPED + given };
  const after = given.replace(SKIPPED, "");
  const begin = after === "" ? 0 : all.findIndex(({ record }) => record.id === after) + 1;
  if (after !== "" && begin === 0) throw failed(400, "invalid_argument: invalid cursor");
  const items = all.slice(begin, begin + (short ? Math.ceil(limit / 2) : limit));
  return { items, cursor: begin + items.length < all.length ? items.at(-1)?.record.id : undefined };
}
