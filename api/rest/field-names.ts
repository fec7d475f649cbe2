// Admission names fields by their path in the manifest; whoever sent a flat REST body knows them without `spec.`.
import { InvalidError } from "../../controller/admission/admission.ts";
import { HttpError } from "../http-error.ts";

/** Runs a write; what admission refuses comes out under the names of the request. */
export async function withFieldNames<T>(
  renames: readonly (readonly [prefix: string, name: string])[],
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    const causes = error.causes.map((cause) => ({ ...cause, field: rename(cause.field, renames) }));
    const message = causes.map((cause) => `${cause.field}: ${cause.message}`).join(", ");
    throw new HttpError("Invalid", message, { details: { causes } });
  }
}

function rename(field: string, renames: readonly (readonly [string, string])[]): string {
  const found = renames.find(([prefix]) => field.startsWith(prefix));
  return found ? `${found[1]}${field.slice(found[0].length)}` : field;
}
