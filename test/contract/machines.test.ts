// The contract on the emulated cloud in memory, on virtual time.
import { emulatorApi, emulatorHttp } from "../../controller/emulator/api.ts";
import { Cloud } from "../../controller/emulator/cloud.ts";
import { memoryGuests } from "../../controller/emulator/memory-guests.ts";
import { seededRandom } from "../../controller/kernel/random.ts";
import { flyMachines } from "../../controller/machines/client.ts";
import { virtualClock } from "../virtual-clock.ts";
import { machinesContract } from "./machines-contract.ts";

const TOKEN = "token";

machinesContract("in memory", async () => {
  const clock = virtualClock();
  const random = seededRandom(1);
  const cloud = new Cloud({ clock, random, guests: memoryGuests() });
  const http = emulatorHttp(emulatorApi(cloud, { token: TOKEN }));
  const client = (options: { token?: string; listPageSize?: number }) =>
    flyMachines({ http, baseUrl: "http://127.0.0.1:4280", token: TOKEN, clock, random, ...options });
  return {
    machines: client({}),
    client,
    faults: cloud.faults,
    async finish(work) {
      let done = false;
      const ended = () => {
        done = true;
      };
      work.then(ended, ended);
      await clock.runUntil(() => done);
      return work;
    },
    close: () => cloud.close({ keepMachines: false }),
  };
});
