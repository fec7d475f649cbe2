// Whether the process lives (health, healthz, livez), whether it can do its work (readyz), what it is, and its metrics.
import type { Api, ApiContext, ApiOptions } from "./api.ts";
import { mount } from "./kube/resources.ts";

/** The Kubernetes version whose manners the API has; kubectl warns when it is more than one minor away from its own. */
const KUBERNETES = { major: "1", minor: "32" };

export function mountHealth(api: Api, options: ApiOptions): void {
  const { clock, metrics, store, version } = options;
  const startedMs = clock.monotonic();

  const alive = async (c: ApiContext) => c.text("ok");
  mount(api, "/health", {
    get: async (c) =>
      c.json({ status: "ok", version, uptimeSeconds: Math.floor((clock.monotonic() - startedMs) / 1000) }),
  });
  mount(api, "/healthz", { get: alive });
  mount(api, "/livez", { get: alive });
  mount(api, "/readyz", {
    get: async (c) => {
      const checks = { store: await store.health(), controller: await options.ready() };
      const failed = Object.entries(checks).filter(([, check]) => !check.ok);
      if (failed.length === 0) return c.text("ok");
      return c.text(
        failed.map(([name, check]) => `[-]${name} failed: ${check.message ?? "no reason given"}`).join("\n"),
        503,
      );
    },
  });
  mount(api, "/version", { get: async (c) => c.json(versionInfo(version)) });
  mount(api, "/metrics", {
    get: async (c) => c.body(await metrics.metrics(), 200, { "content-type": metrics.contentType }),
  });
}

function versionInfo(version: string): object {
  const { major, minor } = KUBERNETES;
  return {
    major,
    minor,
    gitVersion: `v${major}.${minor}.0-flywheel.${version}`,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "node",
    platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}
