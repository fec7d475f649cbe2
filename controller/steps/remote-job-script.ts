// The shell text of the detached job protocol, for any POSIX sh (dash, busybox ash, bash). Each call is one script on the
// standard input of one `sh`, and does nothing unless it has arrived whole.
//
// A job is the directory <root>/jobs/<run>/<step>/<attempt>:
//   claim      who decides over the attempt: a supervisor (`job <boot> <pid> <start time>`), a canceller (`abandoned`), or
//              a start meant for another boot (`refused`).
//              Made by link(2), so exactly one contender wins and its identity is there from the first moment.
//   group      pid and start time of the leader of the user's process group
//   stdout, stderr, exit   output, and the exit code, which appears by rename after all output
//   cancelled  its end has been asked for
//   in.*       what one start sent: script, environment (0600, unlinked before the script begins)
// FLY_ROOT is set by the emulator only, for a machine without a root file system of its own.
// Names begin with fw_, and after the environment is read only positional parameters are used: a user may call a
// variable anything.

const COMMON = `
fw_boot() {
  fw_kernel=none fw_machine=-
  if [ -r /proc/sys/kernel/random/boot_id ]; then read -r fw_kernel < /proc/sys/kernel/random/boot_id
  else fw_kernel=$(sysctl -n kern.bootsessionuuid 2>/dev/null) || fw_kernel=none; fi
  if [ -r "$fw_boot_file" ]; then read -r fw_machine fw_rest < "$fw_boot_file"; fi
  fw_boot=$fw_kernel/$fw_machine
}
# Start time of the live process $1 in fw_start; a zombie does not live.
fw_started() {
  fw_start=
  if [ -r /proc/self/stat ]; then
    { read -r fw_line < "/proc/$1/stat"; } 2>/dev/null || return 1
    set -f; set -- \${fw_line##*) }; set +f
    case $1 in Z|X) return 1 ;; esac
    fw_start=\${20}
  elif command -v ps >/dev/null 2>&1; then
    fw_start=$(ps -o stat= -o lstart= -p "$1" 2>/dev/null) || return 1
    case $fw_start in Z*) fw_start=; return 1 ;; esac
    fw_start=$(ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_')
  else
    kill -0 "$1" 2>/dev/null || return 1
    fw_start=unknown
  fi
  [ -n "$fw_start" ]
}
fw_group_alive() {
  [ -r "$fw_dir/group" ] || return 1
  read -r fw_leader fw_leader_start < "$fw_dir/group"
  kill -0 "-$fw_leader" 2>/dev/null || return 1
  # A leader with another start time is a stranger who was given a number that was free again.
  if fw_started "$fw_leader"; then [ "$fw_start" = "$fw_leader_start" ]; else [ -z "$fw_start" ]; fi
}
fw_nap() {
  sleep "$1" 2>/dev/null || sleep 1
}
fw_detached() {
  if command -v setsid >/dev/null 2>&1; then setsid "$@" & else set -m; "$@" & set +m; fi
}
`;

/** Arguments: phase, directory, staging directory, mode, working directory, umask, boot file, run, step, attempt. */
const SUPERVISOR = `${COMMON}
fw_supervise() {
  fw_dir=$2 fw_in=$3 fw_boot_file=$7
  fw_boot
  fw_started $$
  printf 'job %s %s %s\\n' "$fw_boot" "$$" "$fw_start" > "$fw_in/claim" || exit 1
  ln "$fw_in/claim" "$fw_dir/claim" 2>/dev/null || { rm -rf "$fw_in"; exit 0; }
  shift
  fw_detached sh "$fw_in/supervisor" job "$@" < /dev/null > "$fw_dir/stdout" 2> "$fw_dir/stderr"
  wait $!
  fw_code=$?
  # Whoever is left of a cancelled group is given the same grace as its leader.
  if [ -e "$fw_dir/cancelled" ]; then
    read -r fw_grace < "$fw_dir/cancelled"
    while fw_group_alive && [ "\${fw_grace:-0}" -gt 0 ]; do fw_nap 1; fw_grace=$((fw_grace - 1)); done
    if fw_group_alive; then kill -KILL "-$fw_leader" 2>/dev/null; fi
  fi
  printf '%s\\n' "$fw_code" > "$fw_in/exit" && mv -f "$fw_in/exit" "$fw_dir/exit"
  rm -rf "$fw_in"
}
fw_job() {
  fw_dir=$2
  fw_started $$
  printf '%s %s\\n' "$$" "$fw_start" > "$3/group" && mv -f "$3/group" "$2/group" || exit 125
  # A canceller leaves its mark first and looks for the group then, so one of us sees the other.
  [ -e "$2/cancelled" ] && exit 143
  # The machine's own environment, which a session by SSH does not have. HOME stays what the session says.
  if [ -r "\${FLY_ROOT:-}/run/flywheel/env" ]; then
    set -- "$@" "$HOME"
    . "\${FLY_ROOT:-}/run/flywheel/env"
    HOME=\${11}
  fi
  FLYWHEEL_RUN=$8 FLYWHEEL_STEP=$9 FLYWHEEL_ATTEMPT=\${10}
  export FLYWHEEL_RUN FLYWHEEL_STEP FLYWHEEL_ATTEMPT
  umask "$6"
  if [ "$4" = shell ]; then
    mkdir -p "$5" && cd "$5" || exit 125
    if command -v bash >/dev/null 2>&1; then set -- "$3" bash -eo pipefail "$3/script"; else set -- "$3" sh -e "$3/script"; fi
  else
    cd "$HOME" 2>/dev/null || cd /
    # As people know it from sh -c, but for a text too long to be one argument.
    if [ "$(($(wc -c < "$3/script")))" -lt 100000 ]; then set -- "$3" sh -c "$(cat "$3/script")"; else set -- "$3" sh "$3/script"; fi
  fi
  . "$1/env"
  rm -f "$1/env"
  shift
  exec "$@"
}
case $1 in supervise) fw_supervise "$@" ;; job) fw_job "$@" ;; esac
exit
`;

const CALLS = `${COMMON}
fw_locate() {
  fw_root=\${FLY_ROOT:-}/var/lib/flywheel
  fw_home=$HOME/.flywheel
  if [ -d "$fw_root/$fw_path" ]; then :
  elif [ -d "$fw_home/$fw_path" ]; then fw_root=$fw_home
  elif mkdir -p "$fw_root/jobs" 2>/dev/null && [ -w "$fw_root/jobs" ]; then :
  else fw_root=$fw_home; fi
  fw_dir=$fw_root/$fw_path
}
# What the attempt is now, in fw_state, fw_code and fw_message.
fw_look() {
  fw_state=Absent fw_code=- fw_message=
  [ -e "$fw_dir/claim" ] || return 0
  if [ -s "$fw_dir/exit" ]; then
    read -r fw_code < "$fw_dir/exit"
    if [ -e "$fw_dir/cancelled" ]; then fw_state=Abandoned; else fw_state=Exited; fi
    return 0
  fi
  read -r fw_who fw_claim_boot fw_pid fw_pid_start < "$fw_dir/claim"
  if [ "$fw_who" = abandoned ]; then fw_state=Abandoned; return 0; fi
  if [ "$fw_who" = refused ]; then
    fw_state=Lost fw_message='the machine has booted again since the attempt was committed'
    return 0
  fi
  if [ "$fw_claim_boot" != "$fw_boot" ]; then
    fw_state=Lost fw_message='the machine has booted again since the job began'
    return 0
  fi
  if fw_started "$fw_pid" && [ "$fw_start" = "$fw_pid_start" ]; then fw_state=Running
  elif fw_group_alive; then fw_state=Running
  elif [ -s "$fw_dir/exit" ]; then fw_look # it ended between two of our looks
  elif [ -e "$fw_dir/cancelled" ]; then fw_state=Abandoned
  else fw_state=Lost fw_message='the job was killed together with its supervisor, so its exit code is not known'; fi
}
fw_size() {
  if [ -r "$1" ]; then fw_bytes=$(($(wc -c < "$1"))); else fw_bytes=0; fi
}
# Bytes of stdout and stderr beyond the offsets $1 and $2, at most $3 of each.
fw_sizes() {
  fw_size "$fw_dir/stdout"; fw_out=$((fw_bytes - $1))
  fw_size "$fw_dir/stderr"; fw_err=$((fw_bytes - $2))
  if [ "$fw_out" -lt 0 ]; then fw_out=0; elif [ "$fw_out" -gt "$3" ]; then fw_out=$3; fi
  if [ "$fw_err" -lt 0 ]; then fw_err=0; elif [ "$fw_err" -gt "$3" ]; then fw_err=$3; fi
}
fw_bodies() {
  if [ "$fw_out" -gt 0 ]; then tail -c "+$(($1 + 1))" "$fw_dir/stdout" | head -c "$fw_out"; fi
  if [ "$fw_err" -gt 0 ]; then tail -c "+$(($2 + 1))" "$fw_dir/stderr" | head -c "$fw_err"; fi
}
fw_reply() {
  printf 'flywheel-%s %s %s %s %s %s\\n' "$fw_nonce" "$fw_state" "$fw_code" "\${fw_out:-0}" "\${fw_err:-0}" "$fw_message"
}
# Claims the attempt, so that it never begins; $1 says why. Somebody else may have been first.
fw_decline() {
  mkdir -p "$fw_dir" && echo "$1" > "$fw_dir/in.$fw_nonce.decline" || exit 1
  ln "$fw_dir/in.$fw_nonce.decline" "$fw_dir/claim" 2>/dev/null
  rm -f "$fw_dir/in.$fw_nonce.decline"
  fw_look
}
fw_boot_call() {
  printf 'flywheel-%s boot %s\\n' "$fw_nonce" "$fw_boot"
}
# $1 mode, $2 the boot that the attempt was committed to
fw_start_call() {
  fw_look
  if [ "$fw_state" = Absent ] && [ "$2" != "$fw_boot" ]; then fw_decline refused; fi
  if [ "$fw_state" != Absent ]; then fw_reply; return; fi
  fw_in=$fw_dir/in.$fw_nonce
  mkdir -p "$fw_dir" && mkdir "$fw_in" || exit 1
  if printf %s "$fw_script" > "$fw_in/script" && printf %s "$fw_env" > "$fw_in/env" && printf %s "$fw_supervisor" > "$fw_in/supervisor"
  then :; else rm -rf "$fw_in"; exit 1; fi
  fw_detached sh "$fw_in/supervisor" supervise "$fw_dir" "$fw_in" "$1" "$fw_root/runs/$fw_run/work" "$fw_mask" "$fw_boot_file" \\
    "$fw_run" "$fw_step" "$fw_attempt" < /dev/null > /dev/null 2>&1
  fw_turn=0
  while [ ! -e "$fw_dir/claim" ] && [ "$fw_turn" -lt 100 ]; do fw_nap 0.02; fw_turn=$((fw_turn + 1)); done
  fw_look
  fw_reply
}
# $1, $2 offsets, $3 bytes at most of each stream, $4 ms to wait for news
fw_observe_call() {
  fw_waited=0 fw_pause=20
  while :; do
    fw_look
    fw_sizes "$1" "$2" "$3"
    if [ "$fw_state" != Running ] || [ "$fw_out" -gt 0 ] || [ "$fw_err" -gt 0 ] || [ "$fw_waited" -ge "$4" ]; then break; fi
    fw_nap "$(printf '0.%03d' "$fw_pause")"
    fw_waited=$((fw_waited + fw_pause))
    if [ "$fw_pause" -lt 250 ]; then fw_pause=$((fw_pause * 3 / 2)); fi
  done
  fw_reply
  fw_bodies "$1" "$2"
}
# $1 grace in s. Called again while the group is on its way out it changes nothing.
fw_cancel_call() {
  fw_look
  if [ "$fw_state" = Absent ]; then fw_decline abandoned; fi
  if [ "$fw_state" = Running ]; then
    [ -e "$fw_dir/cancelled" ] || echo "$1" > "$fw_dir/cancelled" || exit 1
    if fw_group_alive; then kill -TERM "-$fw_leader" 2>/dev/null; fi
    printf %s "$fw_killer" > "$fw_dir/in.$fw_nonce.killer" || exit 1
    fw_detached sh "$fw_dir/in.$fw_nonce.killer" "$fw_dir" "$1" < /dev/null > /dev/null 2>&1
    fw_look
  fi
  fw_reply
}
fw_release_call() {
  fw_look
  if [ "$fw_state" = Exited ] || [ "$fw_state" = Abandoned ] || [ "$fw_state" = Lost ]; then
    rm -rf "$fw_dir"/stdout "$fw_dir"/stderr "$fw_dir"/in.*
    # Longer than any step may last, so nothing that runs is touched.
    find "$fw_root/jobs" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} + 2>/dev/null
  fi
  fw_reply
}
`;

/** Arguments: directory, grace in s. Outlives the call that made it. The group it ends is the job's or none. */
const KILLER = `${COMMON}
fw_kill() {
  fw_dir=$1
  rm -f "$0"
  fw_grace=$2
  while [ ! -e "$fw_dir/exit" ] && [ "$fw_grace" -gt 0 ]; do fw_nap 1; fw_grace=$((fw_grace - 1)); done
  if fw_group_alive; then kill -KILL "-$fw_leader" 2>/dev/null; fi
}
fw_kill "$@"
exit
`;

export interface JobCall {
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  /** Marks the reply; also names what this call leaves in the directory for a moment. */
  readonly nonce: string;
}

export function bootScript(call: JobCall): string {
  return whole(call, "fw_boot_call");
}

export function startScript(
  call: JobCall,
  job: {
    readonly mode: "shell" | "exec";
    readonly script: string;
    readonly environment: Readonly<Record<string, string>>;
    /** Any other boot of the machine refuses the attempt. */
    readonly bootId: string;
  },
): string {
  const exports = Object.entries(job.environment).map(([name, value]) => `export ${name}=${quote(value)}\n`);
  return whole(call, `fw_start_call ${job.mode} ${quote(job.bootId)}`, {
    fw_script: job.script,
    fw_env: exports.join(""),
    fw_supervisor: SUPERVISOR,
  });
}

export function observeScript(
  call: JobCall,
  options: {
    readonly offsets: { readonly stdout: number; readonly stderr: number };
    readonly maxBytes: number;
    readonly waitMs: number;
  },
): string {
  const { offsets, maxBytes, waitMs } = options;
  return whole(call, `fw_observe_call ${offsets.stdout} ${offsets.stderr} ${maxBytes} ${Math.round(waitMs)}`);
}

export function cancelScript(call: JobCall, graceMs: number): string {
  return whole(call, `fw_cancel_call ${Math.ceil(graceMs / 1000)}`, { fw_killer: KILLER });
}

export function releaseScript(call: JobCall): string {
  return whole(call, "fw_release_call");
}

/** One function around everything: a text cut off on its way is a syntax error, not half of a job. */
function whole(call: JobCall, command: string, values: Readonly<Record<string, string>> = {}): string {
  const path = `jobs/${call.run}/${call.step}/${call.attempt}`;
  const assignments = Object.entries({
    fw_run: call.run,
    fw_step: call.step,
    fw_attempt: String(call.attempt),
    fw_nonce: call.nonce,
    fw_path: path,
    ...values,
  }).map(([name, value]) => `${name}=${quote(value)}`);
  return `fw_main() {
fw_mask=$(umask); umask 077
PATH=\${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin} HOME=\${HOME:-/root}
export PATH HOME
fw_boot_file=\${FLY_ROOT:-}/run/flywheel/boot
${assignments.join("\n")}
fw_boot
fw_locate
${command}
exit 0
}
${CALLS}
fw_main
`;
}

/** One word of a shell line, whatever it holds. NUL cannot be in a variable and is refused before. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
