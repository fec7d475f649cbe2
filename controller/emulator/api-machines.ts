// /v1/apps/{app}/machines: making, reading and changing machines.
import { type Context, Hono } from "hono";
import { failed } from "./api-error.ts";
import { leaseRoutes } from "./api-lease.ts";
import { listMachines } from "./api-list.ts";
import { metadataRoutes } from "./api-metadata.ts";
import { createMachine, parseBody, signalMachine, stopMachine, updateMachine } from "./api-requests.ts";
import { runOnMachine, waitForMachine } from "./api-wait.ts";
import type { Cloud } from "./cloud.ts";
import { takeLease } from "./lease.ts";
import { signalName } from "./machine-config.ts";
import { type MachineRecord, machineView } from "./machine-record.ts";
import { appOf, idOf, machineOf, nonceOf, type Route } from "./route.ts";

const BASE = "/apps/:app/machines";
const ONE = `${BASE}/:id`;

export function machineRoutes(cloud: Cloud, route: Route): Hono {
  const api = new Hono();
  const view = (record: MachineRecord, lease = false) =>
    machineView(record, { unreachable: cloud.isUnreachable(record), lease, nowMs: cloud.clock.now() });

  api.get(
    BASE,
    route("list", (c) => listMachines(cloud, c), appOf),
  );
  api.post(
    BASE,
    route(
      "create",
      async (c) => {
        const request = await parseBody(c, createMachine);
        const record = cloud.createMachine(appOf(c), {
          name: request.name,
          region: request.region,
          config: request.config,
          skipLaunch: request.skip_launch,
        });
        if (!request.lease_ttl) return c.json(view(record));
        const terms = { ttlSeconds: request.lease_ttl, description: "", nonce: undefined };
        const { nonce } = takeLease(record, terms, cloud.clock.now(), cloud.random);
        cloud.touched(record, { updated: false });
        return c.json({ ...view(record), nonce });
      },
      appOf,
    ),
  );
  api.get(
    ONE,
    route(
      "get",
      (c) => {
        const record = machineOf(cloud, c);
        const version = c.req.query("version");
        if (version === undefined || version === record.version) {
          return c.json(view(record, c.req.query("include_leases") === "true"));
        }
        const old = record.versions.find((each) => each.version === version);
        if (!old) throw failed(404, "machine version not found");
        return c.json({ ...view(record), config: old.config, version, instance_id: version, state: "replaced" });
      },
      idOf,
    ),
  );
  api.post(
    ONE,
    route(
      "update",
      async (c) => {
        const request = await parseBody(c, updateMachine);
        const record = machineOf(cloud, c);
        const { config, current_version: currentVersion, skip_launch: skipLaunch } = request;
        cloud.updateMachine(record, { config, currentVersion, skipLaunch }, nonceOf(c));
        return c.json(view(record));
      },
      idOf,
    ),
  );
  api.delete(
    ONE,
    route(
      "delete",
      (c) => {
        const force = c.req.query("force") === "true" || c.req.query("kill") === "true";
        cloud.destroy(machineOf(cloud, c), force, nonceOf(c));
        return c.json({ ok: true });
      },
      idOf,
    ),
  );
  commandRoutes(api, cloud, route);
  readRoutes(api, cloud, route);
  metadataRoutes(api, cloud, route);
  leaseRoutes(api, cloud, route);
  return api;
}

function commandRoutes(api: Hono, cloud: Cloud, route: Route): void {
  const command = (name: string, act: (record: MachineRecord, c: Context) => Promise<unknown> | unknown) =>
    api.post(
      `${ONE}/${name}`,
      route(name, async (c) => c.json((await act(machineOf(cloud, c), c)) ?? { ok: true }), idOf),
    );

  command("start", (record, c) => ({
    previous_state: cloud.start(record, nonceOf(c)),
    migrated: false,
    new_host: "",
  }));
  command("stop", async (record, c) => cloud.stop(record, await parseBody(c, stopMachine), nonceOf(c)));
  command("restart", (record, c) =>
    cloud.restart(record, { signal: c.req.query("signal"), timeout: c.req.query("timeout") }, nonceOf(c)),
  );
  command("suspend", (record, c) => cloud.suspend(record, nonceOf(c)));
  command("signal", async (record, c) => {
    const { signal } = await parseBody(c, signalMachine);
    await cloud.requireStarted(record, "signal").signal(signalName(signal) ?? "SIGKILL");
  });
  command("cordon", (record) => cordon(cloud, record, true));
  command("uncordon", (record) => cordon(cloud, record, false));
  command("exec", (record, c) => runOnMachine(cloud, record, c));
}

function cordon(cloud: Cloud, record: MachineRecord, cordoned: boolean): void {
  record.cordoned = cordoned;
  cloud.touched(record, { updated: true });
}

function readRoutes(api: Hono, cloud: Cloud, route: Route): void {
  api.get(
    `${ONE}/wait`,
    route("wait", (c) => waitForMachine(cloud, machineOf(cloud, c), c), idOf),
  );
  api.get(
    `${ONE}/events`,
    route(
      "events",
      (c) => c.json(machineOf(cloud, c).events.slice(0, Math.min(Number(c.req.query("limit") ?? 20) || 20, 50))),
      idOf,
    ),
  );
  api.get(
    `${ONE}/versions`,
    route(
      "versions",
      (c) => c.json(machineOf(cloud, c).versions.map(({ version, config }) => ({ version, user_config: config }))),
      idOf,
    ),
  );
  api.get(
    `${ONE}/ps`,
    route(
      "ps",
      async (c) => {
        const processes = await cloud.requireStarted(machineOf(cloud, c), "exec").processes();
        const row = { cpu: 0, stime: 0, rtime: 0, directory: "/", listen_sockets: [] };
        return c.json(processes.map(({ pid, command, rssKb }) => ({ pid, command, rss: rssKb * 1024, ...row })));
      },
      idOf,
    ),
  );
}
