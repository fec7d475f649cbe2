// The entry of a bundle: dies after each effect of the scenario that it is given, and says in JSON what failed.
import { explore } from "../crash-points.ts";
import { MODES, pointText } from "../reaper.ts";
import { SCENARIOS } from "../scenarios/all.ts";

export interface Explored {
  readonly explored: number;
  readonly failed: readonly { readonly at: string; readonly problems: readonly string[] }[];
}

const scenario = SCENARIOS.find(({ name }) => name === process.argv[2]);
if (!scenario) throw new Error(`no scenario is called ${process.argv[2]}`);
const after = MODES.indexOf("after");
const { explored, failed } = await explore(scenario, {
  point: (number) => number % MODES.length === after,
  double: () => false,
});
const said: Explored = {
  explored,
  failed: failed.map(({ points, problems }) => ({ at: points.map(pointText).join(), problems })),
};
console.log(JSON.stringify(said));
