// Arguments as one line for `sh -c`, so that each arrives as it was typed here.

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** One argument is a script of the user's own (`'cd src && make'`); several are a command and its arguments. */
export function shellLine(args: readonly string[]): string {
  const [only, ...more] = args;
  return only !== undefined && more.length === 0 ? only : args.map(shellQuote).join(" ");
}

export function shellQuote(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
