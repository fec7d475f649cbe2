import { describe, expect, test } from "vitest";
import { lifetime } from "../../../controller/kernel/lifetime.ts";
import { createReach } from "../../../controller/transports/pool.ts";
import {
  type Connection,
  type Target,
  type Transport,
  TransportError,
  type TransportName,
} from "../../../controller/transports/transport.ts";
import { type VirtualClock, virtualClock } from "../../virtual-clock.ts";

const never = lifetime().signal;
const TARGET: Target = { app: "shop", machineId: "m1", uid: "u1", host: "fdaa::1", port: 2222 };
const REFUSED = new TransportError("down", "connection refused");
const MISMATCH = new TransportError("mismatch", "the host key is another one");

/** How a transport behaves now: takes connections, refuses them with an error, or leaves them hanging. */
type Behaviour = "up" | "hangs" | TransportError;

/** A machine as a transport sees it; its behaviour is changed by the test. */
function machine(name: TransportName, behaviour: Behaviour) {
  const state = {
    behaviour,
    connects: 0,
    ran: [] as string[],
    lose: () => {},
    inFlight: 0,
    mostInFlight: 0,
    hold: false,
  };
  const held: (() => void)[] = [];
  const transport: Transport = {
    name,
    async connect(_target, signal) {
      state.connects += 1;
      if (name === "SSH" && state.behaviour === "hangs") {
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () =>
            reject(new TransportError("down", "no answer", { cause: signal.reason })),
          );
        });
      }
      if (name === "SSH" && state.behaviour instanceof TransportError) throw state.behaviour;
      return connection();
    },
  };
  function connection(): Connection {
    let alive = true;
    state.lose = () => {
      alive = false;
    };
    return {
      transport: name,
      get alive() {
        return alive;
      },
      async run(command) {
        if (state.behaviour instanceof TransportError) throw state.behaviour;
        state.ran.push(command);
        state.inFlight += 1;
        state.mostInFlight = Math.max(state.mostInFlight, state.inFlight);
        if (state.hold) await new Promise<void>((resolve) => held.push(resolve));
        state.inFlight -= 1;
        return { exitCode: 0, stdout: new Uint8Array(), stderr: new Uint8Array() };
      },
      close: () => state.lose(),
    };
  }
  const releaseAll = () => {
    for (const release of held.splice(0)) release();
  };
  return Object.assign(state, { transport, releaseAll });
}

function setUp(sshBehaviour: Behaviour, execBehaviour: Behaviour = "up") {
  const clock = virtualClock();
  const ssh = machine("SSH", sshBehaviour);
  const exec = machine("Exec", execBehaviour);
  const reach = createReach({ ssh: ssh.transport, exec: exec.transport, clock });
  return { clock, ssh, exec, reach };
}

/** The value of a promise that time must pass for. */
async function passing<T>(clock: VirtualClock, ms: number, promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  await clock.advance(ms);
  return promise;
}

describe("a machine that SSH reaches", () => {
  test("has one connection for everybody", async () => {
    const { reach, ssh } = setUp("up");
    const sessions = await Promise.all([1, 2, 3].map(() => reach.session(TARGET, never)));
    for (const session of sessions) await session.run("x", { timeoutMs: 1000 }, never);
    sessions[0]?.close();
    expect(await reach.probe(TARGET, never)).toEqual({ reachable: true, via: "SSH", message: "SSH to [fdaa::1]:2222" });
    expect({ connects: ssh.connects, ran: ssh.ran.length }).toEqual({ connects: 1, ran: 3 });
  });

  test("is connected to again after the connection is lost", async () => {
    const { reach, ssh } = setUp("up");
    await reach.session(TARGET, never);
    ssh.lose();
    const session = await reach.session(TARGET, never);
    await session.run("x", { timeoutMs: 1000 }, never);
    expect(ssh.connects).toBe(2);
  });

  test("never has more commands at once than its server allows, and serves all", async () => {
    const { reach, ssh, clock } = setUp("up");
    const session = await reach.session(TARGET, never);
    ssh.hold = true;
    const all = Promise.all(Array.from({ length: 30 }, (_, n) => session.run(`c${n}`, { timeoutMs: 1000 }, never)));
    for (let round = 0; round < 5; round += 1) {
      await clock.settle();
      ssh.releaseAll();
    }
    expect(await all).toHaveLength(30);
    expect(ssh.mostInFlight).toBe(8);
  });

  test("is another one at another address", async () => {
    const { reach, ssh } = setUp("up");
    const old = await reach.session(TARGET, never);
    await reach.session({ ...TARGET, host: "fdaa::2" }, never);
    expect(ssh.connects).toBe(2);
    await expect(old.run("x", { timeoutMs: 1000 }, never)).rejects.toMatchObject({ class: "down" });
  });

  test("is let go of when forgotten", async () => {
    const { reach, ssh } = setUp("up");
    const session = await reach.session(TARGET, never);
    reach.forget("m1");
    await expect(session.run("x", { timeoutMs: 1000 }, never)).rejects.toMatchObject({ class: "down" });
    await reach.session(TARGET, never);
    expect(ssh.connects).toBe(2);
  });
});

describe("a machine that SSH does not reach", () => {
  test("is being probed for ten seconds, and then reached through exec", async () => {
    const { reach, clock, exec } = setUp(REFUSED);
    expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: false, reason: "Probing" });
    await expect(reach.session(TARGET, never)).rejects.toMatchObject({ class: "down" });
    await clock.advance(9000);
    expect(await reach.probe(TARGET, never)).toMatchObject({ reason: "Probing" });
    expect(exec.ran).toEqual([]);
    await clock.advance(2000);
    expect(await reach.probe(TARGET, never)).toEqual({
      reachable: true,
      via: "Exec",
      message: "through Fly's exec endpoint, because connection refused",
    });
    expect((await reach.session(TARGET, never)).transport).toBe("Exec");
  });

  test("is looked at again as soon as the ten seconds are over, however rarely it was tried by then", async () => {
    const { reach, clock } = setUp(REFUSED);
    for (let passedMs = 0; passedMs <= 10_000; passedMs += 500) {
      expect(await reach.probe(TARGET, never)).toMatchObject(
        passedMs < 10_000 ? { reason: "Probing" } : { via: "Exec" },
      );
      await clock.advance(500);
    }
  });

  test("also when its packets are dropped without a word, and nobody waits for that longer than a second", async () => {
    const { reach, clock } = setUp("hangs");
    const first = await passing(clock, 1000, reach.probe(TARGET, never));
    expect(first).toMatchObject({ reachable: false, reason: "Probing" });
    await clock.advance(9500);
    expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: true, via: "Exec" });
  });

  test("goes back to SSH once that answers", async () => {
    const { reach, clock, ssh } = setUp(REFUSED);
    await reach.probe(TARGET, never);
    await clock.advance(11_000);
    await reach.probe(TARGET, never);
    ssh.behaviour = "up";
    expect(await reach.probe(TARGET, never)).toMatchObject({ via: "Exec" });
    await clock.advance(61_000);
    expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: true, via: "SSH" });
    expect((await reach.session(TARGET, never)).transport).toBe("SSH");
  });

  test("keeps being reached through exec while SSH is tried again and hangs", async () => {
    const { reach, clock, ssh } = setUp(REFUSED);
    await reach.probe(TARGET, never);
    await clock.advance(11_000);
    await reach.probe(TARGET, never);
    await clock.advance(61_000);
    ssh.behaviour = "hangs";
    expect((await reach.session(TARGET, never)).transport).toBe("Exec");
    expect(await passing(clock, 1000, reach.probe(TARGET, never))).toMatchObject({ via: "Exec" });
  });

  test("nor exec is not reachable, and says both reasons", async () => {
    const { reach, clock } = setUp(REFUSED, new TransportError("down", "exec refused"));
    await reach.probe(TARGET, never);
    await clock.advance(11_000);
    expect(await reach.probe(TARGET, never)).toMatchObject({
      reachable: false,
      reason: "NotReachable",
      message: "connection refused; exec refused",
    });
  });

  test("says when it is tried again, and not asking before then misses nothing", async () => {
    const { reach, clock, ssh } = setUp(REFUSED, new TransportError("down", "exec refused"));
    for (let tries = 1; tries <= 12; tries += 1) {
      const found = await reach.probe(TARGET, never);
      const againMs = found.reachable ? 0 : (found.againMs ?? 0);
      expect(ssh.connects).toBe(tries);
      expect(againMs).toBeGreaterThan(0);
      await clock.advance(againMs - 1);
      expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: false, againMs: 1 });
      expect(ssh.connects).toBe(tries);
      await clock.advance(1);
    }
    ssh.behaviour = "up";
    expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: true, via: "SSH" });
  });

  test("is not tried at every probe, but more and more rarely", async () => {
    const { reach, clock, ssh } = setUp(REFUSED);
    for (let n = 0; n < 90; n += 1) {
      await reach.probe(TARGET, never);
      await clock.advance(100);
    }
    expect(ssh.connects).toBe(6); // at 0, 0.25, 0.75, 1.75, 3.75, 7.75 s
  });

  test("lets a caller go that does not want to wait, and goes on", async () => {
    const { reach, clock, ssh } = setUp("hangs");
    const impatient = new AbortController();
    const session = reach.session(TARGET, impatient.signal);
    impatient.abort();
    await expect(session).rejects.toMatchObject({ class: "down" });
    await clock.settle();
    expect(ssh.connects).toBe(1);
  });

  test("leaves nothing asleep when everything is closed", async () => {
    const { reach, clock } = setUp("hangs");
    const probing = reach.probe(TARGET, never);
    await clock.settle();
    reach.close();
    await probing;
    await clock.settle();
    expect(clock.sleepers).toBe(0);
    await expect(reach.session(TARGET, never)).rejects.toMatchObject({ class: "down" });
  });
});

describe("a machine with a wrong host key", () => {
  test("is sent nothing by any way, ever", async () => {
    const { reach, clock, ssh, exec } = setUp(MISMATCH);
    expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: false, reason: "HostKeyMismatch" });
    ssh.behaviour = "up";
    await clock.advance(3_600_000);
    expect(await reach.probe(TARGET, never)).toMatchObject({ reason: "HostKeyMismatch" });
    await expect(reach.session(TARGET, never)).rejects.toMatchObject({ class: "mismatch" });
    expect({ connects: ssh.connects, exec: exec.ran, sent: ssh.ran }).toEqual({ connects: 1, exec: [], sent: [] });
  });

  test("not even through an exec session that somebody holds from before", async () => {
    const { reach, clock, ssh, exec } = setUp(REFUSED);
    await reach.probe(TARGET, never);
    await clock.advance(11_000);
    await reach.probe(TARGET, never);
    const session = await reach.session(TARGET, never);
    ssh.behaviour = MISMATCH;
    await clock.advance(61_000);
    await reach.probe(TARGET, never);
    await expect(session.run("x", { timeoutMs: 1000 }, never)).rejects.toMatchObject({ class: "mismatch" });
    expect(exec.ran).toEqual(["true"]);
  });

  test("stays so at another address", async () => {
    const { reach } = setUp(MISMATCH);
    await reach.probe(TARGET, never);
    await expect(reach.session({ ...TARGET, host: "fdaa::2" }, never)).rejects.toMatchObject({ class: "mismatch" });
  });

  test("stays so for a process that only knows it from status", async () => {
    const { reach, clock, ssh, exec } = setUp(REFUSED);
    const mistrusted = { ...TARGET, mistrusted: "the host key is another one" };
    expect(await reach.probe(mistrusted, never)).toMatchObject({ reachable: false, reason: "HostKeyMismatch" });
    await clock.advance(60_000);
    await expect(reach.session(mistrusted, never)).rejects.toMatchObject({ class: "mismatch" });
    expect({ connects: ssh.connects, exec: exec.ran }).toEqual({ connects: 0, exec: [] });
    reach.acknowledge("m1");
    ssh.behaviour = "up";
    expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: true, via: "SSH" });
  });

  test("is looked at again once someone has seen to it; a key that is still wrong is a mismatch again", async () => {
    const { reach, ssh } = setUp(MISMATCH);
    await reach.probe(TARGET, never);
    reach.acknowledge("m1");
    expect(await reach.probe(TARGET, never)).toMatchObject({ reason: "HostKeyMismatch" });
    ssh.behaviour = "up";
    reach.acknowledge("m1");
    expect(await reach.probe(TARGET, never)).toMatchObject({ reachable: true, via: "SSH" });
  });
});
