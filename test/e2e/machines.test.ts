// The contract over real HTTP: our client's pool against the emulator, whose machines are processes on this computer.
import { startEmulator } from "../../controller/emulator/emulator.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { systemRandom } from "../../controller/kernel/random.ts";
import { flyMachines } from "../../controller/machines/client.ts";
import { undiciHttp } from "../../controller/machines/http.ts";
import { machinesContract } from "../contract/machines-contract.ts";

const TOKEN = "token";

machinesContract("over HTTP", async () => {
  const emulator = await startEmulator({
    token: TOKEN,
    clock: systemClock,
    random: systemRandom,
    knobs: { killTimeoutMs: 300 }, // a bare sleep is deaf to the stop signal, and nothing is learnt from waiting for it
  });
  const http = undiciHttp({ clock: systemClock });
  const client = (options: { token?: string; listPageSize?: number }) =>
    flyMachines({
      http,
      baseUrl: emulator.url,
      token: TOKEN,
      clock: systemClock,
      random: systemRandom,
      ...options,
    });
  return {
    machines: client({}),
    client,
    faults: emulator.cloud.faults,
    finish: (work) => work,
    async close() {
      await http.close();
      await emulator.close();
    },
  };
});
