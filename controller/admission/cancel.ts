// What is cancelled stays cancelled: the controller may have acted on it already.
import type { Cause } from "./admission.ts";

export function cancelCauses(
  next: { readonly cancel: boolean },
  current: { readonly cancel: boolean } | undefined,
): readonly Cause[] {
  if (!current?.cancel || next.cancel) return [];
  return [
    {
      reason: "FieldValueForbidden",
      field: "spec.cancel",
      message: "Forbidden: a cancellation cannot be taken back; start it again as a new one",
    },
  ];
}
