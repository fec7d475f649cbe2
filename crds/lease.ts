// A Lease of coordination.k8s.io: how controllers of others agree on which of them leads. Held for them; nothing here leads by one.
import { z } from "zod";
import { AGE_COLUMN, type KindDef, type Resource } from "./resource.ts";

/** Clients hold these numbers in 32 bits. */
const INT32_MAX = 2_147_483_647;

const leaseSpec = z.strictObject({
  holderIdentity: z.string().max(1024).optional().describe("Who holds the lease; empty when nobody does."),
  leaseDurationSeconds: z
    .int()
    .min(1)
    .max(INT32_MAX)
    .optional()
    .describe("How long others wait after the last renewal."),
  acquireTime: z.iso.datetime({ offset: true }).nullish().describe("When the holder took it."),
  renewTime: z.iso.datetime({ offset: true }).nullish().describe("When the holder last renewed it."),
  leaseTransitions: z.int().min(0).max(INT32_MAX).optional().describe("How often the holder has changed."),
  strategy: z.string().max(256).optional().describe("How holders are chosen where a coordinator chooses."),
  preferredHolder: z.string().max(1024).optional().describe("Who should hold it next."),
});

export type Lease = Resource<z.output<typeof leaseSpec>, never, "Lease">;

export const leaseKind: KindDef<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  singular: "lease",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  description: "A claim to lead that ends unless it is renewed.",
  fields: { spec: leaseSpec.optional() },
  columns: [{ name: "Holder", type: "string", jsonPath: ".spec.holderIdentity" }, AGE_COLUMN],
  immutable: [],
};
