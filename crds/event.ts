// Core Event: what happened to an object, for people. Kept for a day; equal ones are counted, not repeated.
import { z } from "zod";
import type { AnyResource, KindDef } from "./resource.ts";

const objectReference = z.strictObject({
  apiVersion: z.string().optional().describe("Of the object."),
  kind: z.string().optional().describe("Of the object."),
  namespace: z.string().optional().describe("Of the object."),
  name: z.string().optional().describe("Of the object."),
  uid: z.string().optional().describe("Of the object."),
  resourceVersion: z.string().optional().describe("Of the object when it happened."),
  fieldPath: z.string().optional().describe("The part of the object that it is about."),
});

const fields = {
  involvedObject: objectReference.describe("What it happened to."),
  reason: z.string().max(128).optional().describe("What happened, as one word for programs."),
  message: z.string().max(8192).optional().describe("What happened, for people."),
  type: z.enum(["Normal", "Warning"]).optional().describe("Whether somebody should look."),
  count: z.int().optional().describe("How often it happened."),
  firstTimestamp: z.string().nullish().describe("When it first happened."),
  lastTimestamp: z.string().nullish().describe("When it last happened."),
  eventTime: z.string().nullish().describe("When it happened, in the newer form."),
  action: z.string().optional().describe("What was done."),
  reportingComponent: z.string().optional().describe("Who says so."),
  reportingInstance: z.string().optional().describe("Which of them says so."),
  source: z
    .strictObject({
      component: z.string().optional().describe("Its name."),
      host: z.string().optional().describe("Where it runs."),
    })
    .optional()
    .describe("Who says so, in the older form."),
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
