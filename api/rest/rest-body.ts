// Bodies of the simple REST endpoints: small objects, checked by a schema of their own, refused field by field.
import type { z } from "zod";
import { causesOf } from "../../controller/admission/causes.ts";
import type { ApiContext } from "../api.ts";
import { optionalBody } from "../body.ts";
import { HttpError } from "../http-error.ts";

/** An absent body counts as an empty object. */
export async function restBody<T>(c: ApiContext, schema: z.ZodType<T>): Promise<T> {
  const body = (await optionalBody(c)) ?? {};
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const causes = causesOf(parsed.error.issues, schema, body);
  const message = causes
    .map((cause) => (cause.field === "" ? cause.message : `${cause.field}: ${cause.message}`))
    .join(", ");
  throw new HttpError("Invalid", message, { details: { causes } });
}
