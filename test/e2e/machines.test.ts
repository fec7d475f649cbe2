// The contract over real HTTP: our client's pool against the emulated cloud behind a socket on loopback.
import { serve } from "@hono/node-server";
import { emulatorApi } from "../../controller/emulator/api.ts";
import { Cloud } from "../../controller/emulator/cloud.ts";
import { memoryGuests } from "../../controller/emulator/memory-guests.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { systemRandom } from "../../controller/kernel/random.ts";
import { flyMachines } from "../../controller/machines/client.ts";
import { undiciHttp } from "../../controller/machines/http.ts";
import { machinesContract } from "../contract/machines-contract.ts";

const TOKEN = "token";

machinesContract("over HTTP", async () => {
  const cloud = new Cloud({ clock: systemClock, random: systemRandom, guests: memoryGuests() });
  const api = emulatorApi(cloud, { token: TOKEN });
  const { server, port } = await new Promise<{ server: ReturnType<typeof serve>; port: number }>((resolve) => {
    const server = serve({ fetch: api.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => resolve({ server, port }));
  });
  const http = undiciHttp({ clock: systemClock });
  const client = (options: { token?: string; listPageSize?: number }) =>
    flyMachines({
      http,
      baseUrl: `http://127.0.0.1:${port}`,
      token: TOKEN,
      clock: systemClock,
      random: systemRandom,
      ...options,
    });
  return {
    machines: client({}),
    client,
    faults: cloud.faults,
    finish: (work) => work,
    async close() {
      await http.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await cloud.close({ keepMachines: false });
    },
  };
});
