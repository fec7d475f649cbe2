// Machines without a place where they could be found again must not outlive their emulator, even when it is killed: a
// few lines of shell wait for the end of their input, which is when the emulator is gone, and clear up after it.
import { spawn } from "node:child_process";
import { KEEPER_NAME } from "./local-guest.ts";

/** $1 is the state directory. A keeper is known by its command line; what it keeps is in its process group, or dies with it. */
const WATCHDOG = `trap "" HUP INT TERM
read -r word
[ "$word" = released ] && exit
ps -axww -o pid=,args= | while read -r pid args; do
  case $args in *"${KEEPER_NAME} $1/guests/"*) kill -s KILL -- "-$pid" ;; esac
done
sleep 0.2
rm -rf "$1"`;

/** Returns what releases it; everything has been cleared up then. */
export function watch(stateDir: string): () => void {
  const child = spawn("/bin/sh", ["-c", WATCHDOG, "flywheel-watchdog", stateDir], {
    detached: true,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  child.on("error", () => {}); // without it only a killed emulator leaves machines behind
  child.stdin.on("error", () => {}); // it has ended before us
  return () => child.stdin.end("released\n");
}
