// The server on a real port: headers at once, a close that breaks nothing, TLS.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import { describe, expect, test } from "vitest";
import { listen } from "../../api/listen.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { INSTANCES, instance, testApi } from "../api/test-api.ts";

const noOpenssl = spawnSync("openssl", ["version"]).error !== undefined;

async function started(tls?: { cert: string; key: string }) {
  const api = await testApi({ clock: systemClock });
  const server = await listen(api.api, { host: "127.0.0.1", port: 0, clock: systemClock, tls });
  return { ...api, server };
}

describe("listen", () => {
  test("sends the head of a watch before anything happens", async () => {
    const { server } = await started();
    const watch = await request(`${server.url}${INSTANCES}?watch=true`);
    expect([watch.statusCode, watch.headers["transfer-encoding"]]).toEqual([200, "chunked"]);
    watch.body.on("error", () => undefined).destroy();
    await server.close(1000);
  });

  test("close ends watches at once, lets a request finish, and takes no new one", async () => {
    const { server, api } = await started();
    api.get("/slow", async (c) => {
      await systemClock.sleep(300);
      return c.text("done");
    });
    const watch = await request(`${server.url}${INSTANCES}?watch=true`);
    const ended = watch.body.text();
    const slow = request(`${server.url}/slow`);
    await systemClock.sleep(50);
    const began = systemClock.monotonic();
    const closed = server.close(5000);
    expect(await ended).toBe("");
    expect(systemClock.monotonic() - began).toBeLessThan(200);
    expect(await (await slow).body.text()).toBe("done");
    await closed;
    expect(systemClock.monotonic() - began).toBeLessThan(1000);
    await expect(request(`${server.url}/health`)).rejects.toThrow("ECONNREFUSED");
  });

  test("close cuts what hangs when the grace is over", async () => {
    const { server, api } = await started();
    api.get("/hangs", async () => new Promise<Response>(() => undefined));
    const cut = expect(request(`${server.url}/hangs`)).rejects.toThrow();
    await systemClock.sleep(50);
    const began = systemClock.monotonic();
    await server.close(200);
    expect(systemClock.monotonic() - began).toBeLessThan(2000);
    await cut;
  });

  test("a client that hangs up ends its watch", async () => {
    const { server, metrics } = await started();
    const watch = await request(`${server.url}${INSTANCES}?watch=true`);
    const open = async () => /flywheel_http_streams (\d+)/.exec(await metrics.metrics())?.[1];
    expect(await open()).toBe("1");
    watch.body.on("error", () => undefined).destroy();
    while ((await open()) !== "0") await systemClock.sleep(10);
    await server.close(1000);
  });

  test("a port that is taken is an error, not a crash", async () => {
    const { server, api } = await started();
    await expect(listen(api, { host: "127.0.0.1", port: server.port, clock: systemClock })).rejects.toThrow(
      "EADDRINUSE",
    );
    await server.close(1000);
  });

  test.skipIf(noOpenssl)("speaks TLS when it has a certificate", async () => {
    const folder = mkdtempSync(join(tmpdir(), "flywheel-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const made = spawnSync("openssl", [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "1",
      "-subj",
      "/CN=127.0.0.1",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      key,
      "-out",
      cert,
    ]);
    expect(made.status).toBe(0);
    const tls = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
    rmSync(folder, { recursive: true });
    const { server } = await started(tls);
    const dispatcher = new Agent({ connect: { ca: tls.cert } });
    const answer = await request(`${server.url}${INSTANCES}`, {
      method: "POST",
      body: JSON.stringify(instance("box")),
      dispatcher,
    });
    expect([server.url.startsWith("https://"), answer.statusCode]).toEqual([true, 201]);
    await answer.body.dump();
    await dispatcher.close();
    await server.close(1000);
  });
});
