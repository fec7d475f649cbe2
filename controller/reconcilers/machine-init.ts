// The program that every machine runs first. A stock image has no command that stays (plain ubuntu exits at once on Fly)
// and no SSH server; this keeps the machine alive, brings sshd up where the image has one or can install one, and then
// runs the image's own command. It must work in any POSIX shell, busybox's included.
import { AUTHORIZED_KEYS_PATH, HOST_KEY_PATH, RUN_FOLDER } from "../../crds/machine-files.ts";

/** Where the emulator says that it serves SSH itself. */
const SSH_PROVIDED = "/.fly/ssh-provided";

/** Holds a random id that is new at each boot: a job that was started under another id is lost. */
export const BOOT_ID_PATH = `${RUN_FOLDER}/boot`;

/** The machine's environment as `export` lines, for jobs that come in by SSH; only root may read it. */
export const ENVIRONMENT_PATH = `${RUN_FOLDER}/env`;

/**
 * `ownCommand`: the arguments are the user's command, whose end is the machine's end (Fly's restart policy then decides).
 * Otherwise they are the image's default command, and the machine outlives it.
 */
export function machineInit(options: { readonly sshPort: number; readonly ownCommand: boolean }): string {
  return `#!/bin/sh
# Made by Flywheel: keeps the machine alive and brings up SSH on port ${options.sshPort}.
# FLY_ROOT is set only by the emulator, for a machine that has no root file system of its own.
root=\${FLY_ROOT:-}
umask 077
mkdir -p "$root${RUN_FOLDER}"
cat /proc/sys/kernel/random/uuid >"$root${BOOT_ID_PATH}" 2>/dev/null || echo "$$-$(date +%s)" >"$root${BOOT_ID_PATH}"
export -p >"$root${ENVIRONMENT_PATH}"
umask 022

find_sshd() {
  for path in /usr/sbin/sshd /usr/local/sbin/sshd /usr/bin/sshd; do
    [ -x "$path" ] && { echo "$path"; return 0; }
  done
  return 1
}

install_sshd() {
  if command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends openssh-server
  elif command -v apk >/dev/null 2>&1; then apk add --no-cache openssh-server
  elif command -v dnf >/dev/null 2>&1; then dnf install -y -q openssh-server
  elif command -v microdnf >/dev/null 2>&1; then microdnf install -y openssh-server
  elif command -v yum >/dev/null 2>&1; then yum install -y -q openssh-server
  else return 1
  fi
}

serve_ssh() {
  [ -e "$root${SSH_PROVIDED}" ] && return
  sshd=$(find_sshd) || { install_sshd >/var/log/flywheel-ssh.log 2>&1; sshd=$(find_sshd); } || return
  mkdir -p /run/sshd /var/empty
  chmod 700 /root/.ssh
  chmod 600 ${HOST_KEY_PATH} ${AUTHORIZED_KEYS_PATH}
  while :; do
    "$sshd" -D -f /dev/null -p ${options.sshPort} -h ${HOST_KEY_PATH} \\
      -o AuthorizedKeysFile=${AUTHORIZED_KEYS_PATH} -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no \\
      -o PermitRootLogin=prohibit-password -o MaxSessions=64 -o MaxStartups=64 -o ClientAliveInterval=30 \\
      -o "Subsystem=sftp internal-sftp" >>/var/log/flywheel-ssh.log 2>&1
    sleep 2
  done
}
serve_ssh &

child=
stop() {
  [ -n "$child" ] && kill -TERM "$child" 2>/dev/null && wait "$child"
  exit 0
}
trap stop TERM INT

if [ $# -gt 0 ]; then
  "$@" </dev/null &
  child=$!
  wait "$child"
  code=$?
  child=
  ${options.ownCommand ? 'exit "$code"' : "# it was the default of the image: the machine stays"}
fi

while :; do
  sleep 3600 &
  child=$!
  # Where nothing can be started any more, this must not become a loop that takes the whole CPU.
  wait "$child" || sleep 1 || exit 1
done
`;
}
