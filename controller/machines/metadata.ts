// Metadata of a machine, changed without restarting it. One PATCH where the API has it; older ones take key by key.
import { type Caller, nothing, path } from "./call.ts";
import { MachinesError } from "./machines.ts";

type Patch = Readonly<Record<string, string | null>>;

export async function patchMetadata(
  call: Caller,
  app: string,
  id: string,
  metadata: Patch,
  signal: AbortSignal,
): Promise<void> {
  const what = `change metadata of machine ${id} in app "${app}"`;
  const where = path`/apps/${app}/machines/${id}/metadata`;
  // an empty value removes the key; the API's schema has no null here
  const body = { metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value ?? ""])) };
  try {
    await call({ action: "metadata", limitedBy: id, method: "PATCH", path: where, body, what }, nothing, signal);
  } catch (error) {
    if (!(error instanceof MachinesError) || !isUnknownRoute(error)) throw error;
    await keyByKey(call, app, id, metadata, signal);
  }
}

/** 404 is also said of a machine that is gone; the first key's call then says it again, this time for sure. */
function isUnknownRoute(error: MachinesError): boolean {
  return error.status === 405 || (error.status === 404 && !/machine/i.test(said(error)));
}

/** What Fly said, without our own words before it. */
function said(error: MachinesError): string {
  return error.message.slice(error.message.indexOf("Fly answered"));
}

async function keyByKey(call: Caller, app: string, id: string, metadata: Patch, signal: AbortSignal): Promise<void> {
  const removed = Object.entries(metadata).filter(([, value]) => value === null);
  const set = Object.entries(metadata).filter(([, value]) => value !== null);
  for (const [key, value] of set) {
    const what = `set metadata "${key}" of machine ${id} in app "${app}"`;
    const where = path`/apps/${app}/machines/${id}/metadata/${key}`;
    const body = { value };
    await call({ action: "metadata", limitedBy: id, method: "POST", path: where, body, what }, nothing, signal);
  }
  for (const [key] of removed) {
    const what = `remove metadata "${key}" of machine ${id} in app "${app}"`;
    const where = path`/apps/${app}/machines/${id}/metadata/${key}`;
    try {
      await call({ action: "metadata", limitedBy: id, method: "DELETE", path: where, what }, nothing, signal);
    } catch (error) {
      if (!(error instanceof MachinesError) || error.class !== "gone") throw error; // it was not set
    }
  }
}
