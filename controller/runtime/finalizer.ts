// Adds and removes one finalizer of an object. Removing it from what is already gone is success.
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import { NotFoundError } from "../store/errors.ts";

export async function keepFinalizer<R extends AnyResource>(
  admission: Admission,
  kind: KindDef<R>,
  object: R,
  finalizer: string,
): Promise<R> {
  const { namespace, name, uid, resourceVersion, finalizers = [] } = object.metadata;
  if (finalizers.includes(finalizer)) return object;
  return admission.update(
    kind,
    { namespace, name },
    (current) => withFinalizers(current, [...(current.metadata.finalizers ?? []), finalizer]),
    { uid, resourceVersion },
  );
}

export async function dropFinalizer<R extends AnyResource>(
  admission: Admission,
  kind: KindDef<R>,
  { metadata: { namespace, name, uid } }: R,
  finalizer: string,
): Promise<void> {
  const without = (current: R) =>
    withFinalizers(
      current,
      (current.metadata.finalizers ?? []).filter((each) => each !== finalizer),
    );
  await ifThere(admission.update(kind, { namespace, name }, without, { uid }));
}

/** What is gone already needs nothing any more. */
export async function ifThere(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}

function withFinalizers(object: AnyResource, finalizers: readonly string[]): AnyResource {
  return { ...object, metadata: { ...object.metadata, finalizers } };
}
