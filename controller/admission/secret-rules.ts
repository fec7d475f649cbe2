// What is given as plain text becomes data, as if it had been given in base64; immutable data stays.
import type { Secret } from "../../crds/secret.ts";
import { frozenDataCauses } from "./config-map-rules.ts";
import type { KindRules } from "./kind-rules.ts";

export const secretRules: KindRules<Secret> = {
  fill({ stringData, ...object }) {
    const type = object.type || "Opaque"; // kubectl sends an empty one
    if (stringData === undefined) return { ...object, type };
    const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
    return { ...object, type, data: { ...object.data, ...Object.fromEntries(encoded) }, stringData: undefined };
  },
  check: (object, current) => frozenDataCauses(["data", "immutable"], object, current),
};
