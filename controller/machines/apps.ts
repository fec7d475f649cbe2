// The app that holds our machines: found, or made in the organisation. Names are unique in all of Fly, so a name that is
// taken may be somebody else's; then nothing but another name helps, and the error says so.
import type { Clock } from "../kernel/clock.ts";
import { FLY_APP_SETTLE_MS } from "../limits.ts";
import { type Caller, nothing, path } from "./call.ts";
import { MachinesError } from "./machines.ts";

const SETTLE_POLL_MS = 1000;

export async function ensureApp(
  call: Caller,
  clock: Clock,
  app: string,
  organization: string,
  signal: AbortSignal,
): Promise<void> {
  if (await exists(call, app, signal)) return;
  if (organization === "") {
    throw new MachinesError(
      "refused",
      `app "${app}" does not exist and there is no organisation to create it in: set FLY_ORG_SLUG, or create it with ` +
        `\`fly apps create ${app}\``,
    );
  }
  const created = await create(call, app, organization, signal);
  if (!created && (await exists(call, app, signal))) return; // somebody of ours was faster
  if (!created) throw foreign(app, organization);
  await settled(call, clock, app, signal);
}

async function exists(call: Caller, app: string, signal: AbortSignal): Promise<boolean> {
  const what = `look up app "${app}"`;
  try {
    await call({ action: "app-get", limitedBy: app, method: "GET", path: path`/apps/${app}`, what }, nothing, signal);
    return true;
  } catch (error) {
    if (!(error instanceof MachinesError)) throw error;
    if (error.class === "gone") return false;
    throw explained(error, app);
  }
}

/** False when the name is taken. */
async function create(call: Caller, app: string, organization: string, signal: AbortSignal): Promise<boolean> {
  const what = `create app "${app}" in organisation "${organization}"`;
  const body = { name: app, org_slug: organization };
  try {
    await call({ action: "app-create", limitedBy: app, method: "POST", path: "/apps", body, what }, nothing, signal);
    return true;
  } catch (error) {
    if (!(error instanceof MachinesError)) throw error;
    if (error.class === "exists" || error.class === "conflict") return false;
    if (error.ambiguous && (await exists(call, app, signal))) return true;
    throw explained(error, app, organization);
  }
}

/** A new app is answered with 404, and 401, for a moment by parts of the API that have not heard of it. */
async function settled(call: Caller, clock: Clock, app: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = clock.monotonic() + FLY_APP_SETTLE_MS;
  for (;;) {
    try {
      if (await exists(call, app, signal)) return;
    } catch (error) {
      if (!(error instanceof MachinesError) || error.status !== 401) throw error;
    }
    if (clock.monotonic() > deadlineMs) {
      throw new MachinesError("down", `app "${app}" was created and cannot be read after ${FLY_APP_SETTLE_MS} ms`);
    }
    await clock.sleep(SETTLE_POLL_MS, signal).catch((cause: unknown) => {
      throw new MachinesError("down", `app "${app}" was created; given up before it could be read`, { cause });
    });
  }
}

function explained(error: MachinesError, app: string, organization?: string): MachinesError {
  if (error.status === 403) return foreign(app, organization, error);
  if (error.status === 401)
    return refused(error, "FLY_API_TOKEN is not accepted: make one with `fly tokens create org`");
  if (error.status === 422) return refused(error, "set WORKER_APP to a name that Fly accepts");
  return error;
}

function foreign(app: string, organization: string | undefined, cause?: MachinesError): MachinesError {
  const owner = organization === undefined ? "" : ` organisation "${organization}" or`;
  return new MachinesError(
    "refused",
    `app "${app}" belongs to another organisation, or the token has no right to${owner} this app: set WORKER_APP to a ` +
      "name of your own, or FLY_API_TOKEN to a token of the organisation (`fly tokens create org`)",
    { status: cause?.status, requestId: cause?.requestId, cause },
  );
}

function refused(error: MachinesError, remedy: string): MachinesError {
  return new MachinesError("refused", `${error.message}; ${remedy}`, {
    status: error.status,
    requestId: error.requestId,
    cause: error.cause,
  });
}
