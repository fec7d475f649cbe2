// Statements that kysely builds and types once, and better-sqlite3 runs many times. A slot marks where a value comes in
// at each run.
import type { Database } from "better-sqlite3";
import { type Compilable, type RawBuilder, sql } from "kysely";

/** What a statement of given parameters and rows can do. */
export interface Prepared<Parameters, Row> {
  get(parameters: Parameters): Row | undefined;
  all(parameters: Parameters): readonly Row[];
  /** The number of rows changed. */
  run(parameters: Parameters): number;
}

export type Slots<Parameters> = <Name extends keyof Parameters>(name: Name) => RawBuilder<Parameters[Name]>;

class Slot {
  readonly name: PropertyKey;
  constructor(name: PropertyKey) {
    this.name = name;
  }
}

/** `prepare<{ kind: string }>(db)((slot) => query.selectFrom("objects").where("kind", "=", slot("kind")))`. */
export function prepare<Parameters>(db: Database) {
  return <Row>(build: (slot: Slots<Parameters>) => Compilable<Row>): Prepared<Parameters, Row> => {
    const compiled = build((name) => sql`${new Slot(name)}`).compile();
    // kysely types the rows of the query that it compiled.
    const statement = db.prepare<unknown[], Row>(compiled.sql);
    const values = (parameters: Parameters) =>
      // A slot's name is a key of Parameters: only `build` makes slots, and its argument is so typed.
      compiled.parameters.map((each) => (each instanceof Slot ? parameters[each.name as keyof Parameters] : each));
    return {
      get: (parameters) => statement.get(...values(parameters)),
      all: (parameters) => statement.all(...values(parameters)),
      run: (parameters) => statement.run(...values(parameters)).changes,
    };
  };
}
