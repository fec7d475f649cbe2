import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Emulator } from "../../controller/emulator/emulator.ts";
import { bubblewrapProblem } from "../../controller/emulator/guests/bubblewrap.ts";
import { processTable } from "../../controller/emulator/guests/processes.ts";
import { BOOT_ID_PATH, machineInit } from "../../controller/reconcilers/machine-init.ts";
import { INIT_PATH } from "../../crds/machine-files.ts";
import { client, STAYS, start, until } from "./emulated.ts";

const processesOf = processTable();
const problem = await bubblewrapProblem();
if (problem) console.warn(`bubblewrap is not tested: ${problem}`);
const sandboxes = problem ? (["plain"] as const) : (["bubblewrap", "plain"] as const);

describe.each(sandboxes)("machines in %s", (sandbox) => {
  let emulator: Emulator;
  let fly: ReturnType<typeof client>;

  beforeAll(async () => {
    emulator = await start({ sandbox });
    fly = client(emulator.url);
  });
  afterAll(() => emulator.close());

  const exec = (id: string, body: unknown) => fly.call("POST", fly.machine(id, "/exec"), body);
  const exits = async (id: string) => {
    const { body } = await fly.call("GET", fly.machine(id));
    const events = body.events as { type: string; request: { exit_event: Record<string, unknown> } }[]; // as the API says
    return events.filter(({ type }) => type === "exit").map(({ request }) => request.exit_event);
  };

  test("exec answers output and exit code, and splits cmd without a shell", async () => {
    const { id } = await fly.started();
    expect((await exec(id, { command: ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"] })).body).toEqual({
      exit_code: 3,
      exit_signal: 0,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect((await exec(id, { cmd: "echo a && echo b" })).body).toMatchObject({ stdout: "a && echo b\n" });
    expect((await exec(id, { command: ["/bin/sh", "-c", "kill -TERM $$"] })).body).toMatchObject({ exit_code: 143 });
    expect((await exec(id, { command: ["no-such-program"] })).body).not.toMatchObject({ exit_code: 0 });
  });

  test("exec ends at its timeout, and so does the command", async () => {
    const { id } = await fly.started();
    const answer = await exec(id, { command: ["/bin/sh", "-c", "sleep 4711; true"], timeout: 1 });
    expect(answer).toMatchObject({ status: 408 });
    await until("the command is gone", async () =>
      (await processesOf(id)).every(({ command }) => !command.includes("4711")),
    );
  });

  test("environment and files are there at boot", async () => {
    const raw_value = Buffer.from("from the config").toString("base64");
    const { id, ip } = await fly.started({
      env: { COLOUR: "green" },
      files: [{ guest_path: "/srv/deep/file", raw_value, mode: 0o640 }],
    });
    expect(await fly.sh(id, 'echo "$COLOUR $FLY_APP_NAME $FLY_MACHINE_ID $FLY_PRIVATE_IP"')).toBe(
      `green e2e ${id} ${ip}`,
    );
    const root = `"\${FLY_ROOT:-}"`;
    expect(await fly.sh(id, `cat ${root}/srv/deep/file; stat -c %a ${root}/srv/deep/file`)).toBe("from the config640");
    expect(await fly.sh(id, `test -e ${root}/.fly/ssh-provided && echo yes`)).toBe("yes");
  });

  test("what exec leaves behind runs on until stop, which ends all of it", async () => {
    const { id } = await fly.started();
    // Without namespaces a process that drops its parents, its session and its environment at once cannot be told.
    const dropsAll = sandbox === "bubblewrap" ? "setsid env -i sleep 4242" : "setsid sh -c 'env -i sleep 4242; true'";
    const detached = ["setsid sleep 4242", dropsAll, "nohup sh -c 'sleep 4242; true'"];
    for (const each of detached) await fly.sh(id, `${each} >/dev/null 2>&1 </dev/null &`);
    const sleeping = async () => (await processesOf(id)).filter(({ command }) => command === "sleep 4242").length;
    await until("three sleep", async () => (await sleeping()) === 3);
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await fly.wait(id, "stopped");
    expect(await processesOf(id)).toEqual([]);
    expect(await exits(id)).toMatchObject([{ exit_code: 0, requested_stop: true }]);
  });

  test("a main process that ignores the signal is killed after the timeout", async () => {
    const { id } = await fly.started({
      init: { exec: ["/bin/sh", "-c", 'trap "" TERM INT; touch ready; while :; do sleep 0.1; done'] },
    });
    await until("it ignores", async () => (await fly.sh(id, "ls")) === "ready");
    await fly.call("POST", fly.machine(id, "/stop"), { signal: "SIGTERM", timeout: "300ms" });
    await fly.wait(id, "stopped");
    expect(await exits(id)).toMatchObject([{ exit_code: 137, requested_stop: true }]);
    expect(await processesOf(id)).toEqual([]);
  });

  test("when the main process ends, the rest of the machine goes with it", async () => {
    const script = "setsid sleep 5151 & sleep 0.3; exit 7";
    const { id } = await fly.started({ init: { exec: ["/bin/sh", "-c", script] }, restart: { policy: "no" } });
    await fly.wait(id, "stopped");
    expect(await exits(id)).toMatchObject([{ exit_code: 7, requested_stop: false }]);
    expect(await processesOf(id)).toEqual([]);
  });

  test("a stock image without init has nothing to do and stops", async () => {
    await fly.call("POST", "/apps", { name: "e2e", org_slug: "personal" });
    const { body } = await fly.call("POST", "/apps/e2e/machines", { config: { image: "debian:12" } });
    await fly.wait(String(body.id), "stopped");
    expect(await exits(String(body.id))).toMatchObject([{ exit_code: 0, restarting: false }]);
  });

  test.each([
    ["never", "", ""],
    ["restart", "kept", ""],
    ["always", "kept", "kept"],
  ])("rootfs.persist %s: after stop and start '%s', after an update '%s'", async (persist, afterStop, afterUpdate) => {
    const { id } = await fly.started({ rootfs: { persist } });
    const read = () => fly.sh(id, "cat file 2>/dev/null");
    const write = () => fly.sh(id, "echo kept >file; mkdir -p closed/x; chmod 0 closed");
    await write();
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await fly.wait(id, "stopped");
    await fly.call("POST", fly.machine(id, "/start"));
    await fly.wait(id, "started");
    expect(await read()).toBe(afterStop);
    await write();
    await fly.call("POST", fly.machine(id), { config: { ...STAYS, rootfs: { persist } } });
    await fly.wait(id, "started");
    expect(await read()).toBe(afterUpdate);
  });

  test("suspend stops every process where it stands, start lets them go on", async () => {
    const { id } = await fly.started();
    await fly.sh(id, "setsid sh -c 'while :; do echo . >>ticks; sleep 0.02; done' >/dev/null 2>&1 &");
    const ticks = async () => Number(await fly.sh(id, "wc -l <ticks"));
    await until("it ticks", async () => (await ticks()) > 2);
    await fly.call("POST", fly.machine(id, "/suspend"));
    await fly.wait(id, "suspended");
    const stopped = (await processesOf(id)).filter(({ command }) => !command.includes("flywheel-keeper"));
    expect(new Set(stopped.map(({ state }) => state))).toEqual(new Set(["T"]));
    await fly.call("POST", fly.machine(id, "/start"));
    await fly.wait(id, "started");
    const before = await ticks();
    await until("it ticks again", async () => (await ticks()) > before);
    await fly.call("POST", fly.machine(id, "/suspend"));
    await fly.wait(id, "suspended");
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await fly.wait(id, "stopped");
    expect(await processesOf(id)).toEqual([]);
  });

  test("the controller's own init keeps a stock image alive, and starts no sshd of this computer", async () => {
    const raw_value = Buffer.from(machineInit({ sshPort: 2222, ownCommand: false })).toString("base64");
    const { id } = await fly.started({
      init: { entrypoint: ["/bin/sh", INIT_PATH] },
      files: [{ guest_path: INIT_PATH, raw_value, mode: 0o755 }],
    });
    const boot = `"\${FLY_ROOT:-}"${BOOT_ID_PATH}`;
    await until("it has a boot id", async () => (await fly.sh(id, `cat ${boot} 2>/dev/null`)).length > 30);
    const running = (await processesOf(id)).map(({ command }) => command).join("\n");
    expect(running).toContain("sleep 3600");
    expect(running).not.toMatch(/sshd|apt-get|dnf|yum|apk/);
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await fly.wait(id, "stopped");
    expect(await exits(id)).toMatchObject([{ exit_code: 0, requested_stop: true }]);
  });

  test("destroy leaves neither process nor file", async () => {
    const { id } = await fly.started();
    await fly.sh(id, "mkdir -p a/b; echo x >a/b/c; chmod 0500 a/b a; setsid sleep 6161 >/dev/null 2>&1 &");
    expect((await fly.call("DELETE", fly.machine(id))).status).toBe(412);
    await fly.call("DELETE", fly.machine(id, "?force=true"));
    await fly.wait(id, "destroyed");
    expect(await processesOf(id)).toEqual([]);
    expect((await exec(id, { command: ["true"] })).status).toBe(412);
  });

  test("a link that a machine has set does not lead our writing out of it", async () => {
    const outside = mkdtempSync(join(tmpdir(), "flywheel-outside-"));
    const raw_value = Buffer.from("x").toString("base64");
    const config = {
      rootfs: { persist: "always" },
      restart: { policy: "no" },
      files: [{ guest_path: "/srv/out/file", raw_value }],
    };
    const { id } = await fly.started(config);
    await fly.sh(id, `rm -rf "\${FLY_ROOT:-}/srv/out" && ln -s ${outside} "\${FLY_ROOT:-}/srv/out"`);
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await fly.wait(id, "stopped");
    await fly.call("POST", fly.machine(id, "/start"));
    await fly.wait(id, "failed");
    expect((await fly.call("GET", fly.machine(id))).body).toMatchObject({ state: "failed" });
    rmSync(outside, { recursive: true });
  });

  test("many at once", async () => {
    const machines = await Promise.all(Array.from({ length: 10 }, () => fly.started()));
    const ids = await Promise.all(machines.map(({ id }) => fly.sh(id, "echo $FLY_MACHINE_ID")));
    expect(ids).toEqual(machines.map(({ id }) => id));
    await Promise.all(machines.map(({ id }) => fly.call("DELETE", fly.machine(id, "?force=true"))));
    await Promise.all(machines.map(({ id }) => fly.wait(id, "destroyed")));
    for (const { id } of machines) expect(await processesOf(id)).toEqual([]);
  });

  test.runIf(sandbox === "bubblewrap")("a machine sees nothing of this computer but its programs", async () => {
    const { id } = await fly.started();
    const canary = mkdtempSync(join(tmpdir(), "flywheel-canary-"));
    writeFileSync(join(canary, "secret"), "canary");
    const seen = await fly.sh(
      id,
      `ls ${canary} ${process.cwd()} 2>&1 | grep -v 'No such file'; cat /etc/shadow /proc/1/environ 2>&1 | grep -c canary;
       ls -A ${homedir() === "/root" ? "/home" : homedir()} 2>/dev/null; touch /usr/x 2>&1 | grep -c Read-only;
       [ -x /usr/sbin/sshd ] && echo sshd; [ $(ls /proc | grep -c '^[0-9]') -lt 12 ] && echo few; tr '\\0' ' ' </proc/1/cmdline | grep -c ${tmpdir()}`,
    );
    rmSync(canary, { recursive: true });
    expect(seen.split("\n")).toEqual(["0", "1", "few", "0"]);
    const own = await fly.sh(id, "ls -A /root /home /workspace /tmp");
    expect(own).not.toMatch(/\.(gitconfig|profile|npmrc|cache)/);
  });

  test.runIf(sandbox === "bubblewrap")("programs that developers use work in there", async () => {
    const { id } = await fly.started();
    const script = `git init -q repo && cd repo && git -c user.name=a -c user.email=b@c commit -q --allow-empty -m x && git log --format=%s
      tar cf ../a.tar . && mkdir ../out && tar xf ../a.tar -C ../out && ls -A ../out
      whoami; node -e 'console.log(1 + 1)'; mktemp -d >/dev/null && echo tmp`;
    expect(await fly.sh(id, script)).toBe("x\n.git\nroot\n2\ntmp");
  });
});
