// Writes to the store named by its argument until it is killed, many at a time, and tells of each write only when it
// has been answered: `<name> <revision>`.
import { systemClock } from "../../controller/kernel/clock.ts";
import { systemRandom } from "../../controller/kernel/random.ts";
import { openSqlite } from "../../controller/store/sqlite.ts";
import { at, sized, widget, widgetKind } from "../contract/widgets.ts";

const WRITERS = 32;

const file = process.argv[2] ?? "";
const { store } = await openSqlite({ file, clock: systemClock, random: systemRandom });
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => writeForEver(`w${process.pid}-${writer}`)));

async function writeForEver(prefix: string): Promise<never> {
  for (let index = 0; ; index += 1) {
    const name = `${prefix}-${index}`;
    tell(await store.create(widgetKind, widget(name, { annotations: { text: "x".repeat(2000) } })));
    tell(await store.update(widgetKind, at(name), sized(2)));
  }
}

function tell({ metadata }: { readonly metadata: { readonly name: string; readonly resourceVersion: string } }): void {
  process.stdout.write(`${metadata.name} ${metadata.resourceVersion}\n`);
}
