// Core Event: what happened to an object, for people. Kept for a day; equal ones are counted, not repeated.
import { z } from "zod";
import type { AnyResource, KindDef } from "./resource.ts";

const objectReference = z.strictObject({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  namespace: z.string().optional(),
  name: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  fieldPath: z.string().optional(),
});

const fields = {
  involvedObject: objectReference,
  reason: z.string().max(128).optional(),
  message: z.string().max(8192).optional(),
  type: z.enum(["Normal", "Warning"]).optional(),
  count: z.int().optional(),
  firstTimestamp: z.string().nullish(),
  lastTimestamp: z.string().nullish(),
  eventTime: z.string().nullish(),
  action: z.string().optional(),
  reportingComponent: z.string().optional(),
  reportingInstance: z.string().optional(),
  source: z.strictObject({ component: z.string().optional(), host: z.string().optional() }).optional(),
};
const body = z.object(fields);

export interface Event extends AnyResource, z.output<typeof body> {
  readonly kind: "Event";
}

export const eventKind: KindDef<Event> = {
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
  singular: "event",
  shortNames: ["ev"],
  categories: [],
  scope: "Namespaced",
  description: "Something that happened to an object.",
  fields,
  columns: [
    { name: "Last Seen", type: "date", jsonPath: ".lastTimestamp" },
    { name: "Type", type: "string", jsonPath: ".type" },
    { name: "Reason", type: "string", jsonPath: ".reason" },
    { name: "Object", type: "string", jsonPath: ".involvedObject.name" },
    { name: "Count", type: "integer", jsonPath: ".count", priority: 1 },
    { name: "Message", type: "string", jsonPath: ".message" },
  ],
  immutable: [],
};
