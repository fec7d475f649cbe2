// Which way a machine is reached, and what happens when none may be used: told in the condition Reachable, and true.
import ssh2, { type Connection } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "./program.ts";
import { startServer, type TestServer } from "./server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
interface Instance {
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly machine?: { readonly id: string; readonly privateIp: string; readonly instanceId: string };
  };
}

const INSTANCES = "/apis/fly.lightfast.ai/v1/namespaces/default/instances";
const IMPOSTOR_PORT = 2022;

const instance = (name: string, spec: object = {}) => ({
  apiVersion: "fly.lightfast.ai/v1",
  kind: "Instance",
  metadata: { name },
  spec,
});

const object = async (name: string) => (await server.get<Instance>(`${INSTANCES}/${name}`)).body;
const condition = async (name: string, type: string) =>
  (await object(name)).status?.conditions?.find((each) => each.type === type);
const exec = (name: string, command: string) =>
  server.send<{ stdout: string; status: string; exitCode: number | null }>("POST", `/api/instances/${name}/exec`, {
    command,
    timeout: 5000,
  });

describe("Reachable", () => {
  // side by side: most of it is waiting
  test.concurrent("says SSH where that answers, and Exec with the reason where it does not; commands go either way", async () => {
    const begin = performance.now();
    await server.apply(instance("near"), instance("far", { ssh: { port: 2022 } })); // nothing listens there
    await server.cli("wait", "instance/near", "--for=condition=Ready", "--timeout=60s");
    expect(await condition("near", "Reachable")).toMatchObject({ status: "True", reason: "SSH" });

    await server.cli("wait", "instance/far", "--for=condition=Ready", "--timeout=60s");
    const found = await condition("far", "Reachable");
    expect(found).toMatchObject({ status: "True", reason: "Exec", message: expect.stringContaining("ECONNREFUSED") });
    expect(performance.now() - begin).toBeLessThan(18_000); // ten of them are what SSH is given

    for (const name of ["near", "far"])
      expect((await exec(name, "echo through $(hostname)")).body).toMatchObject({
        status: "succeeded",
        stdout: `through ${(await object(name)).status?.machine?.id}\n`,
      });
  });

  test.concurrent("an impostor at the machine's address is a HostKeyMismatch, and nothing is sent by any way until it is seen to", async () => {
    await server.apply(instance("box", { ssh: { port: IMPOSTOR_PORT } }));
    const address = await until("it has an address", async () => (await object("box")).status?.machine?.privateIp);
    const impostor = await startImpostor(address);
    try {
      const found = await until("the mismatch is seen", async () => {
        const reachable = await condition("box", "Reachable");
        return reachable?.reason === "HostKeyMismatch" && reachable;
      });
      expect(found).toMatchObject({ status: "False", message: expect.stringContaining("SHA256:") });
      expect(await condition("box", "Ready")).toMatchObject({ status: "False" });
      expect((await server.get("/api/instances/box")).body).toMatchObject({ status: "failed" });

      expect((await exec("box", "touch /tmp/sent")).body).toMatchObject({ status: "failed", exitCode: null });
      expect(await onMachine("ls /tmp")).not.toContain("sent");
      expect(impostor.seen).toEqual([]);
    } finally {
      impostor.close();
    }

    const version = (await object("box")).status?.machine?.instanceId ?? "";
    expect(await condition("box", "Reachable")).toMatchObject({ reason: "HostKeyMismatch" }); // it does not pass by itself
    await server.send(
      "PATCH",
      `${INSTANCES}/box`,
      {
        metadata: { annotations: { "fly.lightfast.ai/acknowledge-host-key": version } },
      },
      { "content-type": "application/merge-patch+json" },
    );
    expect((await server.cli("wait", "instance/box", "--for=condition=Ready", "--timeout=60s")).code).toBe(0);
    expect((await exec("box", "echo again")).body).toMatchObject({ status: "succeeded", stdout: "again\n" });
  });
});

/** Asked past the controller. */
async function onMachine(command: string): Promise<string> {
  const id = (await object("box")).status?.machine?.id;
  const path = `/v1/apps/lightfast-worker-instances/machines/${id}/exec`;
  return (await server.fly<{ stdout: string }>("POST", path, { command: ["/bin/sh", "-c", command] })).body.stdout;
}

/** An SSH server with a key of its own that would let anybody in, and what it got from those who came. */
async function startImpostor(address: string): Promise<{ readonly seen: readonly string[]; close(): void }> {
  const seen: string[] = [];
  const sockets = new Set<Connection>();
  const key = ssh2.utils.generateKeyPairSync("ed25519").private;
  const impostor = new ssh2.Server({ hostKeys: [key] }, (client) => {
    sockets.add(client);
    client.on("error", () => undefined); // they leave when they see the key
    client.on("authentication", (context) => {
      seen.push(`${context.method} of ${context.username}`);
      context.accept();
    });
    client.on("session", (accept) => {
      accept().on("exec", (_accept, _reject, { command }) => seen.push(command));
    });
  });
  await new Promise<void>((resolve) => impostor.listen(IMPOSTOR_PORT, address, resolve));
  return {
    seen,
    close() {
      impostor.close();
      for (const each of sockets) each.end();
    },
  };
}
