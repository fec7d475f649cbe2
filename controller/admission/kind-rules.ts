// What a kind asks beyond its schema. A rule is pure; those that look at other objects get the writing transaction's view.
import type { AnyResource } from "../../crds/resource.ts";
import type { View } from "../store/store.ts";
import type { Cause, SpecDefaults } from "./admission.ts";

/** An object on its way in: its metadata is not complete yet. */
export type Incoming<R extends AnyResource> = Omit<R, "metadata"> & {
  readonly metadata: { readonly name?: string | undefined; readonly namespace?: string | undefined };
};

export interface KindRules<R extends AnyResource = AnyResource> {
  /** What the environment decides, filled in at create; at update, what was filled in then stays. */
  fill?(object: Incoming<R>, current: R | undefined, defaults: SpecDefaults): Incoming<R>;
  /** What can be said from the object and its former state alone. */
  check?(object: Incoming<R>, current: R | undefined): readonly Cause[];
  /** What depends on other objects; asked at create, with the name known. */
  relate?(object: Incoming<R>, view: View): readonly Cause[];
  /** True when this field, immutable in general, may change in the state that the object is in. */
  mayStillChange?(path: string, current: R): boolean;
}
