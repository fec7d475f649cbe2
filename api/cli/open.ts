// How a verb begins: what every verb is given.
import type { Command } from "commander";
import type { Session } from "./session.ts";

/** Gives a verb its session and keeps its exit code; `failed` is the code for what goes wrong, where 1 means another. */
export type Open = (command: Command, body: (session: Session) => Promise<number>, failed?: number) => Promise<void>;
