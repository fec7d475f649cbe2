// Kubernetes' label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>3`. As there, != and notin also select objects
// without the label.
import { BadRequestError } from "./errors.ts";

export type Labels = Readonly<Record<string, string>>;
export type LabelSelector = (labels: Labels) => boolean;

/** All that is not blank: two-character operators, one-character ones, words. */
const TOKEN = /==|!=|[=!,()<>]|[^\s=!,()<>]+/g;
const QUALIFIED = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const WORD = /^[^=!,()<>]/;

/** BadRequestError for text outside the grammar. Empty text selects everything. */
export function parseLabelSelector(text: string): LabelSelector {
  const tokens = text.match(TOKEN) ?? [];
  const requirements: LabelSelector[] = [];
  let at = 0;

  const fail = (wanted: string): never => {
    throw new BadRequestError(
      `unable to parse label selector "${text}": found "${tokens[at] ?? "the end"}", expected ${wanted}`,
    );
  };
  const accept = (token: string) => tokens[at] === token && ++at > 0;
  const word = (wanted: string) => {
    const token = tokens[at];
    if (token === undefined || !WORD.test(token)) return fail(wanted);
    at += 1;
    return token;
  };
  const key = () => {
    const name = word("a label key");
    if (!QUALIFIED.test(name)) throw new BadRequestError(`label selector "${text}": "${name}" is not a label key`);
    return name;
  };
  /** May be empty: `a=` and `a in (,b)` mean the empty value. */
  const value = () => {
    const token = tokens[at];
    const found = token !== undefined && WORD.test(token) ? word("a value") : "";
    if (!VALUE.test(found)) throw new BadRequestError(`label selector "${text}": "${found}" is not a label value`);
    return found;
  };
  const integer = () => {
    const found = word("an integer");
    return /^-?\d+$/.test(found) ? Number(found) : fail("an integer");
  };
  const values = () => {
    if (!accept("(")) fail("'('");
    const found = new Set([value()]);
    while (accept(",")) found.add(value());
    if (!accept(")")) fail("',' or ')'");
    return found;
  };

  function requirement(): LabelSelector {
    if (accept("!")) return not(present(key()));
    const name = key();
    const operator = tokens[at];
    if (operator === undefined || operator === ",") return present(name);
    at += 1;
    if (operator === "=" || operator === "==") return oneOf(name, new Set([value()]));
    if (operator === "!=") return not(oneOf(name, new Set([value()])));
    if (operator === "in") return oneOf(name, values());
    if (operator === "notin") return not(oneOf(name, values()));
    if (operator === ">") return compare(name, integer(), 1);
    if (operator === "<") return compare(name, integer(), -1);
    at -= 1;
    return fail("one of = == != in notin > < ,");
  }

  while (at < tokens.length) {
    requirements.push(requirement());
    if (at < tokens.length && !accept(",")) fail("','");
    else if (tokens[at - 1] === "," && at === tokens.length) fail("a requirement");
  }
  return (labels) => requirements.every((matches) => matches(labels));
}

const present =
  (key: string): LabelSelector =>
  (labels) =>
    Object.hasOwn(labels, key);

const oneOf =
  (key: string, values: ReadonlySet<string>): LabelSelector =>
  (labels) =>
    Object.hasOwn(labels, key) && values.has(labels[key] ?? "");

const not =
  (selector: LabelSelector): LabelSelector =>
  (labels) =>
    !selector(labels);

/** Only integers compare; a label with another value is not selected. */
const compare =
  (key: string, bound: number, sign: 1 | -1): LabelSelector =>
  (labels) => {
    const value = Object.hasOwn(labels, key) ? (labels[key] ?? "") : "";
    return /^-?\d+$/.test(value) && Math.sign(Number(value) - bound) === sign;
  };
