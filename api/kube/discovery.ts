// What kubectl asks before anything else: which groups, versions and resources there are, and what version this is.
import { apiVersionOf, type KindDef } from "../../crds/resource.ts";
import type { Api } from "../api.ts";
import { mount } from "./resources.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const STATUS_VERBS = ["get", "patch", "update"];

export function mountDiscovery(api: Api, kinds: readonly KindDef[]): void {
  const answer = (path: string, body: object) => mount(api, path, { get: async (c) => c.json(body) });
  const groups = [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== "");

  answer("/api", { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] });
  answer("/apis", { kind: "APIGroupList", apiVersion: "v1", groups: groups.map((group) => groupOf(group, kinds)) });
  for (const group of groups) {
    answer(`/apis/${group}`, { kind: "APIGroup", apiVersion: "v1", ...groupOf(group, kinds) });
  }
  for (const groupVersion of new Set(kinds.map(apiVersionOf))) {
    const path = groupVersion.includes("/") ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
    answer(path, {
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion,
      resources: kinds.filter((kind) => apiVersionOf(kind) === groupVersion).flatMap(resourcesOf),
    });
  }
}

function groupOf(name: string, kinds: readonly KindDef[]): object {
  const versions = [...new Set(kinds.filter((kind) => kind.group === name).map((kind) => kind.version))].map(
    (version) => ({
      groupVersion: `${name}/${version}`,
      version,
    }),
  );
  return { name, versions, preferredVersion: versions[0] };
}

function resourcesOf(kind: KindDef): object[] {
  const common = { namespaced: kind.scope === "Namespaced", kind: kind.kind };
  const resource = {
    name: kind.plural,
    singularName: kind.singular,
    ...common,
    verbs: VERBS,
    shortNames: kind.shortNames,
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
  };
  if (!kind.fields.status) return [resource];
  return [resource, { name: `${kind.plural}/status`, singularName: "", ...common, verbs: STATUS_VERBS }];
}
