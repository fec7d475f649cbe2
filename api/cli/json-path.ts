// kubectl's JSONPath templates, the part that scripts use: `{.a.b}`, `{.a['b c']}`, `{.list[0]}`, `{.list[*].name}`,
// `{.list[?(@.type=="Ready")].status}`, with text and `{"\n"}` between. No code is ever evaluated.
import { UsageError } from "./failure.ts";
import { isObject } from "./object.ts";

type Step = (value: unknown) => readonly unknown[];

/** All values that the path leads to; braces are optional. */
export function query(path: string, value: unknown): readonly unknown[] {
  const inner = /^\{(.*)\}$/s.exec(path.trim())?.[1] ?? path.trim();
  return stepsOf(inner, path).reduce<readonly unknown[]>((values, step) => values.flatMap(step), [value]);
}

/** The template with every `{…}` replaced by the values it leads to, separated by spaces. */
export function render(template: string, value: unknown): string {
  if (!template.includes("{")) return query(template, value).map(textOf).join(" ");
  return template.replace(/\{((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^{}"'])*)\}/gs, (_, inner: string) =>
    inner.startsWith('"') ? literal(inner, template) : query(inner, value).map(textOf).join(" "),
  );
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

const TOKENS: readonly { readonly pattern: RegExp; readonly step: (match: RegExpExecArray) => Step }[] = [
  { pattern: /^\.?\[\*\]|^\.\*/, step: () => (value) => members(value) },
  {
    pattern: /^\.?\[(-?\d+)\]/,
    step:
      ([, index]) =>
      (value) =>
        Array.isArray(value) ? present(value.at(Number(index))) : [],
  },
  {
    pattern: /^\.?\[(?:'([^']*)'|"([^"]*)")\]/,
    step:
      ([, one, two]) =>
      (value) =>
        member(value, one ?? two ?? ""),
  },
  {
    pattern: /^\.?\[\?\(@\.([\w.-]+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|([\w.-]+))\)\]/,
    step: ([, path, operator, one, two, bare]) => {
      const wanted = one ?? two ?? bare ?? "";
      return (value) =>
        members(value).filter((each) => {
          const found = query(`.${path}`, each);
          return (found.length > 0 && textOf(found[0]) === wanted) === (operator === "==");
        });
    },
  },
  {
    pattern: /^\.((?:[\w-]|\\\.)+)/,
    step:
      ([, name]) =>
      (value) =>
        member(value, (name ?? "").replaceAll("\\.", ".")),
  },
];

function stepsOf(text: string, whole: string): readonly Step[] {
  const steps: Step[] = [];
  let rest = text.replace(/^[$@]/, "");
  if (rest !== "" && !/^[.[]/.test(rest)) rest = `.${rest}`;
  while (rest !== "" && rest !== ".") {
    const token = TOKENS.map(({ pattern, step }) => ({ match: pattern.exec(rest), step })).find(({ match }) => match);
    if (!token?.match) throw new UsageError(`jsonpath "${whole}" is not understood at "${rest}"`);
    steps.push(token.step(token.match));
    rest = rest.slice(token.match[0].length);
  }
  return steps;
}

function members(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function member(value: unknown, name: string): readonly unknown[] {
  return isObject(value) && Object.hasOwn(value, name) ? present(value[name]) : [];
}

function present(value: unknown): readonly unknown[] {
  return value === undefined ? [] : [value];
}

function literal(quoted: string, template: string): string {
  try {
    return textOf(JSON.parse(quoted));
  } catch (cause) {
    throw new UsageError(`jsonpath "${template}": ${quoted} is not a text`, { cause });
  }
}
