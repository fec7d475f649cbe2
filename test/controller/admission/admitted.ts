// Admission over a real store in memory.
import type { Admission, Cause } from "../../../controller/admission/admission.ts";
import { InvalidError } from "../../../controller/admission/admission.ts";
import { createAdmission } from "../../../controller/admission/create-admission.ts";
import { ensureDefaultNamespace } from "../../../controller/admission/namespace-rules.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { openSqlite } from "../../../controller/store/sqlite.ts";
import type { Store } from "../../../controller/store/store.ts";
import { KINDS, kindByName } from "../../../crds/kinds.ts";
import { type AnyResource, apiVersionOf, type KindDef } from "../../../crds/resource.ts";
import { type VirtualClock, virtualClock } from "../../virtual-clock.ts";

export interface Admitted {
  readonly clock: VirtualClock;
  readonly admission: Admission;
  readonly store: Store;
}

export async function admitted(defaults: object = {}): Promise<Admitted> {
  const random = seededRandom(7);
  const clock = virtualClock();
  const { store } = await openSqlite({ file: ":memory:", clock, random });
  const builtIn = { region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x", memoryMb: 256 };
  const admission = createAdmission({ store, kinds: KINDS, defaults: { ...builtIn, ...defaults }, random });
  await ensureDefaultNamespace(admission);
  return { clock, admission, store };
}

export function kindNamed(name: string): KindDef {
  const kind = kindByName(name);
  if (!kind) throw new TypeError(`no kind ${name}`);
  return kind;
}

/** A manifest in the default namespace. */
export function manifest(kind: string, spec: unknown, metadata: object = {}): object {
  return {
    apiVersion: apiVersionOf(kindNamed(kind)),
    kind,
    metadata: { name: "it", namespace: "default", ...metadata },
    spec,
  };
}

export const DEFAULT_KEY = { namespace: "default", name: "it" };

/** What admission says against a write; nothing when it lets it through. */
export async function causesAgainst(write: Promise<AnyResource>): Promise<readonly Cause[]> {
  try {
    await write;
    return [];
  } catch (error) {
    if (error instanceof InvalidError) return error.causes;
    throw error;
  }
}
