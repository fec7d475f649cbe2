// Every bound that the system sets itself, with its reason. Imports nothing; any layer may read it.

/** Request body: the largest manifest that kubectl's own peer accepts is 3 MiB. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** One stored object, as JSON. Larger ones make every watcher slow. */
export const MAX_OBJECT_BYTES = 1024 * 1024;

/** Mistakes that one refusal tells of: nobody reads more, and a list of ten thousand may be wrong in each item. */
export const INVALID_CAUSES_MAX = 64;

/** Items in a page of a list when the client sets no limit; above it a `continue` token is given. */
export const MAX_LIST_ITEMS = 10_000;

/** Events that a slow watcher may leave unread before it is cut off and has to list again. */
export const WATCH_BUFFER_EVENTS = 10_000;

/** The authority that clients have been told to trust outlives the server's certificate, which each start makes anew. */
export const TLS_AUTHORITY_VALID_MS = 3650 * 24 * 60 * 60_000;
export const TLS_CERTIFICATE_VALID_MS = 730 * 24 * 60 * 60_000;

/** How often a quiet watch says which revision it has reached: as often as Kubernetes does. */
export const WATCH_BOOKMARK_MS = 60_000;

/** History that a watch can begin from; older is compacted and answered with 410. */
export const HISTORY_MAX_AGE_MS = 60 * 60_000;
export const HISTORY_MAX_EVENTS = 100_000;

/** Names tried for a generateName before the clash is reported: 27^5 suffixes make a second one rare. */
export const GENERATED_NAME_TRIES = 8;

/** History rows that a watcher replays in one turn: more would hold the event loop for too long. */
export const WATCH_REPLAY_ROWS = 500;

/** Rows of a list read in one turn of the selecting loop, so that a selective list of many does not hold all of them. */
export const LIST_READ_ROWS = 500;

/**
 * JSON text whose objects are held parsed: some four thousand instances and runs, which is what moves at a time, in about
 * 30 MiB of memory. What is read beyond that is parsed again, ten microseconds each.
 */
export const PARSED_OBJECTS_MAX_CHARS = 8 * 1024 * 1024;

/** Compaction looks at history after this many writes and removes at most so many rows: a millisecond or two each time. */
export const COMPACT_EVERY_WRITES = 256;
export const COMPACT_MAX_ROWS = 1024;

/** How long opening waits for a former process to let go of the file: its exit may be a moment behind its last answer. */
export const DATABASE_LOCK_WAIT_MS = 250;

/** Checkpoints write what changed since the last one: fewer of them write hot pages less often. */
export const WAL_CHECKPOINT_PAGES = 2000;

/** Left free on the disk beside a backup that is being taken: the server goes on writing. */
export const BACKUP_RESERVE_BYTES = 64 * 1024 * 1024;

/** Taking a backup and looking at all of it: a few seconds for each gigabyte. */
export const BACKUP_MAX_MS = 10 * 60_000;

/** Writes that share one commit; more only make the first one wait. */
export const GROUP_COMMIT_MAX = 128;

/** Step and exec output kept for each stream of each attempt; what comes later is dropped and said so. */
export const LOG_MAX_BYTES = 16 * 1024 * 1024;

/** Log bytes in one row: reading in the middle of a stream reads at most one such row too much. */
export const LOG_CHUNK_BYTES = 64 * 1024;

/** An exec request answers this long after its timeout even if nobody could say how the command ended. */
export const EXEC_ANSWER_SLACK_MS = 10_000;

/** `?wait=true` on a new instance: a first machine in a cold region takes a minute; proxies rarely allow five. */
export const REST_WAIT_MAX_MS = 4 * 60_000;

/** How long an execution and its output can be asked for. */
export const EXECUTION_RETENTION_MS = 24 * 60 * 60_000;

/** How long Events are kept, as Kubernetes does by default times 24: they are our users' memory of a night. */
export const EVENT_RETENTION_MS = 24 * 60 * 60_000;

/** A call to the Machines API other than wait and exec. Creates in a cold region take seconds. */
export const FLY_CALL_TIMEOUT_MS = 30_000;

/** Fly answers a wait of at most 60 s a little before or after it; the socket must outlive that. */
export const FLY_WAIT_MAX_MS = 60_000;
export const FLY_WAIT_SLACK_MS = 10_000;

/** Connections to the API: as many as there may be waits and execs under way with room for a list beside them. */
export const FLY_CONNECTIONS = 64;
export const FLY_CONNECT_TIMEOUT_MS = 10_000;

/** One answer: a thousand machines with every file they are given stay below it. */
export const FLY_ANSWER_MAX_BYTES = 64 * 1024 * 1024;

/** Pages of one list; more means that the cursor goes in circles. */
export const FLY_LIST_MAX_PAGES = 1000;

/** Between attempts of a GET, doubled each time. */
export const FLY_GET_BACKOFF_MS = 200;

/** An app that was just created is unknown to parts of the API for a moment; Fly's own client waits up to a minute. */
export const FLY_APP_SETTLE_MS = 60_000;

/** Attempts of a GET that failed in transport or with a 5xx; only GET is ever sent twice. */
export const FLY_GET_ATTEMPTS = 3;

/** How long absence of a machine must last, over at least two reads, before an unresolved create may be sent again. */
export const CREATE_SETTLE_MS = 30_000;

/** Machines of one app that may vanish in one sweep before the breaker opens: max(3, 20 %). */
export const VANISH_MIN = 3;
export const VANISH_RATIO = 0.2;

/** SSH that does not answer this long after `started` makes an exec probe count as reachable. */
export const SSH_GRACE_MS = 10_000;

/** A connection that says nothing for this long times this often is lost: half a minute, as long as a redial may take. */
export const SSH_KEEPALIVE_MS = 10_000;
export const SSH_KEEPALIVE_MISSES = 3;

/** Channels on one connection: OpenSSH allows 10 (MaxSessions). Of them, streams without an end leave some for commands. */
export const SSH_CHANNELS_MAX = 8;
export const SSH_STREAMS_MAX = 6;

/** Host keys that are remembered, a KiB each; computing one again takes longer than all else that a look at a machine does. */
export const HOST_KEYS_KEPT = 10_000;

/** How long a caller that must not wait is kept waiting for a probe; it goes on without him. */
export const PROBE_WAIT_MS = 1000;

/** How long it is believed that a machine is reached through exec before SSH is tried again. */
export const PROBE_FRESH_MS = 60_000;

/** Between probes of a machine that does not answer, doubled each time: SSH comes up within seconds of the start. */
export const PROBE_RETRY_MS = 250;
export const PROBE_RETRY_MAX_MS = 15_000;

/** An exec that only shows that the machine answers. */
export const EXEC_PROBE_MS = 10_000;

/** One argument of a command is at most 128 KiB on Linux (MAX_ARG_STRLEN), its end included. */
export const EXEC_ARGUMENT_MAX_BYTES = 128 * 1024 - 1;

/** Output that an exec reply carries of each stream; it is encoded, and held whole in memory on both sides. */
export const EXEC_OUTPUT_MAX_BYTES = 4 * 1024 * 1024;

/** SIGTERM to exit: Fly kills after its kill_timeout, and a stopped API must not keep clients waiting. */
export const SHUTDOWN_MS = 9_000;

/** A full pass over all objects even when nothing changed, in case something was missed. */
export const RESYNC_MS = 5 * 60_000;

/** A read by id that took longer tells of the past: nothing that stops or ends a machine is done on it. */
export const CONFIRM_MAX_MS = 5_000;

/** A machine that Fly leaves in `created` this long is given up: normal is 6 s, a large cold image takes 90 s. */
export const CREATED_DEADLINE_MS = 5 * 60_000;

/** A machine that lived shorter than this failed; making the next one is delayed more each time. */
export const SHORT_LIFE_MS = 10 * 60_000;

/** Create calls of one app under way at once: enough to use 1/s of Fly's limit while each takes seconds, and few to resolve after a crash. */
export const CREATES_IN_FLIGHT = 8;

/** What a machine's metadata keeps of its instance's spec: idle, ttl and the like are a few hundred bytes. */
export const RECORD_MAX_BYTES = 2048;

/**
 * How often what a machine remembers of its instance is brought up to date: somebody who edits all the time must not keep the
 * instance waiting for Fly's limit on writes of metadata.
 */
export const RECORD_EVERY_MS = 10_000;

/** Machines that are asked for by id at once while instances are made anew from them. */
export const ADOPTIONS_AT_ONCE = 8;

/** Instances that hold a worker while they wait to be made: a minute's worth at 1/s, and few beside all workers. */
export const CREATES_IN_LINE = 64;

/** A machine of ours without an instance is called an orphan after this long, so that a create in flight is not. */
export const ORPHAN_GRACE_MS = 10 * 60_000;

/** How long one background wait for a machine's state asks Fly to hold the answer. */
export const FOLLOW_WAIT_MS = 30_000;

/** A call to a job on a machine, beyond the time it was told to wait there. */
export const JOB_CALL_TIMEOUT_MS = 20_000;

/** Output of one stream in one reply: keeps a chatty job from filling memory, and many of them from starving each other. */
export const JOB_CHUNK_BYTES = 256 * 1024;

/** How long a watcher lets the machine wait for news; an exec call to Fly may last 60 s, and proxies cut idle ones at 30 s. */
export const JOB_WAIT_MS = 10_000;

/** A running step is looked at this often even when no watcher reports anything. */
export const STEP_POLL_MS = 3_000;

/** A job that lived this long is written down as begun; shorter ones are spared that write. */
export const STEP_ACKNOWLEDGE_MS = 2_000;

/** TERM to KILL, for a step and for a command that someone waits for. */
export const STEP_GRACE_MS = 5_000;
export const EXECUTION_GRACE_MS = 1_000;

/** How long a step waits for its instance to be Ready: a cold region and a large image take minutes, not a quarter of an hour. */
export const INSTANCE_READY_MAX_MS = 15 * 60_000;

/** A step that should end on a machine that cannot be reached is given up after this long. */
export const STEP_UNREACHABLE_MAX_MS = 15 * 60_000;
export const EXECUTION_UNREACHABLE_MAX_MS = 60_000;

/** A run may be applied a little before its workflow: `apply -f` of a folder goes by file name. */
export const WORKFLOW_GRACE_MS = 30_000;

/** The longest pause before a retry of a step. */
export const STEP_BACKOFF_MAX_MS = 5 * 60_000;

/** Looks that are held open on one machine: OpenSSH gives a connection 10 channels unless told otherwise. */
export const JOB_WATCHERS_PER_MACHINE = 6;

/** A server that is throttled at start tries again: Fly's bursts are over in seconds. */
export const START_ATTEMPTS = 10;
export const START_RETRY_MS = 1000;
