// The little of JSONPath that columns are written in: `.a.b`, `['a']`, `[0]`, `[*]` and `[?(@.type=="Ready")]`. A path is
// compiled once; what it does not understand is an error at start, not an empty cell.

export type JsonPath = (object: unknown) => readonly unknown[];

type Step = (value: unknown) => readonly unknown[];

const TOKEN =
  /\.(?<name>[A-Za-z_][\w-]*)|\[(?<index>\d+)\]|\[(?<all>\*)\]|\['(?<quoted>[^']+)'\]|\[\?\(@\.(?<filter>[\w.]+)\s*==\s*(?:"(?<double>[^"]*)"|'(?<single>[^']*)')\)\]/y;

export function jsonPath(text: string): JsonPath {
  const steps: Step[] = [];
  const token = new RegExp(TOKEN);
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const groups = token.exec(text)?.groups;
    if (!groups) throw new TypeError(`cannot read the JSONPath ${text} from character ${at}`);
    steps.push(stepOf(groups));
  }
  return (object) => steps.reduce<readonly unknown[]>((values, step) => values.flatMap(step), [object]);
}

function stepOf(groups: Readonly<Record<string, string | undefined>>): Step {
  const name = groups.name ?? groups.quoted;
  if (name !== undefined) return (value) => present(member(value, name));
  if (groups.index !== undefined) {
    const index = Number(groups.index);
    return (value) => (Array.isArray(value) ? present(value[index]) : []);
  }
  if (groups.filter !== undefined) {
    const path = groups.filter.split(".");
    const wanted = groups.double ?? groups.single;
    return (value) => (Array.isArray(value) ? value.filter((item) => path.reduce(member, item) === wanted) : []);
  }
  return (value) => (Array.isArray(value) ? value : []);
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name]; // an own key of an object
}

function present(value: unknown): readonly unknown[] {
  return value === undefined || value === null ? [] : [value];
}
