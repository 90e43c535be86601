/** What the fields of resources mean: for readers of the OpenAPI document, and of `api.ts`. No bundle contains it but the Worker's. */
import type { Alert, Channel, Delivery } from './alerts.ts';
import type { AuditEntry, IndexSize, Job, Kill, LastEnd, Run, Session, Target, TargetTiming, Token } from './api.ts';
import type { Brake } from './brakes.ts';
import type { Expectation, Habits, OverdueRun } from './expectations.ts';
import type { Machine, MachineJob } from './machines.ts';
import type { Checked, Finding, Report, ReportedJob } from './report.ts';

const RUN: Record<keyof Run, string> = {
  id: 'A ULID, made by the wrapper. Unique within the job.',
  job: 'The name of what runs.',
  instance: 'One firing of the job; several machines may share it.',
  machine: 'Where it runs.',
  state:
    '`running`, or `killing` after the first signal was sent; then how it ended. The state of an ended run is final, except `lost` while `final` is false.',
  final: 'Whether the state can no longer change. False while the run is live, and for `lost` until its end is known.',
  connected: 'Whether its wrapper is connected. For a run that has ended: whether what it left running can be reached.',
  disconnected_since: 'Since when a run that may be alive has been disconnected; null while its wrapper is connected.',
  exit_code: 'The reported exit code, with which `leash run` exits; null while the run is live.',
  command_exit_code: 'The exit code of the command; null if it is unknown, or if a signal ended the command.',
  signal: 'The signal that ended the command, if one did.',
  reason: 'Why it ended; null while the run is live.',
  started_at: 'When the command was started.',
  ended_at: 'When it ended; for a lost run, when it was declared lost. Null while the run is live.',
  pid: 'The process id of the command; null if it was not started.',
  command_line:
    'The command line, truncated to 4 KiB, with secrets redacted; empty if the wrapper did not report it, as that of Saltpeter never does.',
  wrapper:
    'The program that supervises it; absent from runs of old versions, which are under `leash`. A kill of a run under the wrapper of `saltpeter` always sends SIGTERM, and SIGKILL after 5 s; its steps and what survives are unknown.',
  wrapper_version: 'The version of that program.',
  successor: 'How many times a successor has taken the run over, because its wrapper was killed.',
  user: 'The user that the command runs as: a name, or a number if the user has none; null if the wrapper did not report it.',
  host: 'Whether root started the wrapper, the operating system, and the version of Node.js; null if the wrapper did not report it.',
  timeout_ms: 'The time limit of the run; null for none.',
  grace_ms: 'The time between the first signal and SIGKILL, unless a kill specifies it.',
  kill_signal: 'The first signal that ends the run, unless a kill specifies it.',
  left_running:
    'Processes of the run that are still running after its end: at most 64, with command lines, secrets redacted. A kill that names the run ends them; related processes (those with a `relation`) only with `include: "related"`.',
  output_bytes: 'How many bytes of output are stored; in lists as of the last change of state.',
  output_total_bytes:
    'How many bytes of output the run has in all, as its wrapper reported at its end; null until then. The rest has not arrived yet. If the wrapper died: as many as were saved by then.',
  about:
    'What the job is, as given to `leash run`: `tags`, `owner`, `runbook` (a URL) and `note`; null if none was given.',
  usage:
    'What its processes took together: CPU time, the most memory at one time, bytes read from and written to disks; null until its end, or if the wrapper did not report it.',
  slow_since: 'Since when it takes longer than expected; null if it does not.',
  asked_at: 'When it asked whether it may start; null if it did not ask. Until it starts, `started_at` says the same.',
  fence:
    'A number that rises with each run of the job that asked and was allowed to start; null for a run that did not ask. The command has it as `LEASH_FENCE`.',
  blocked_by: 'The runs that are, or were, in its way: those it waits for, or because of which it did not start.',
  seq: 'Increases with every change: of two versions of a run, the one with the higher `seq` is newer.',
};

const KILL: Record<keyof Kill, string> = {
  id: 'A ULID, made by the control plane: ids increase with time.',
  job: 'The job whose runs it applies to.',
  kind: 'Always `kill`.',
  state:
    '`queued`: no wrapper has acknowledged it yet. `delivered`: a wrapper has, and not all targets have ended. `settled`: all targets and their runs have ended. `expired`: no matching run connected in time.',
  run: 'The run that it applies to; null for all that match.',
  instance: 'The instance that it applies to; null for all.',
  machine: 'The machines that it applies to: names or globs, separated by commas; null for all.',
  signal: 'The first signal; null for the run’s own.',
  grace_ms: 'The time between the first signal and SIGKILL; null for the run’s own.',
  include:
    '`related`: also ends related processes (outside the process tree, but carrying the run’s `LEASH_RUN_ID` or holding its output pipe) and those excluded by `LEASH_KEEP=1`. Null: ends neither.',
  reason: 'The reason that the caller gave.',
  requested_by: 'The name of the token that requested it.',
  request_id:
    'Identifies the call that requested it, in the logs of the control plane and the wrappers; null for kills of old versions.',
  batch: 'Shared by all kills of one `POST /kills`, for `GET /kills?batch=`; null for other kills.',
  requested_at: 'When it was requested.',
  expires_at: 'Until when it matches runs that connect late.',
  stored_ms:
    'How long it took until it was stored durably, in milliseconds since it was requested; null for kills of old versions.',
  targets: 'The runs that it applies to, and its progress at each.',
  found_nothing:
    'Whether no live run matched when the control plane looked. A matching run that started before the kill and connects before `expires_at` still becomes a target, unless the kill names another run.',
  seq: 'Increases with every change: of two versions of a kill, the one with the higher `seq` is newer.',
};

const TARGET: Record<keyof Target, string> = {
  run: 'The id of the run.',
  machine: 'Where it runs.',
  wrapper: 'The program that supervises it, as in the run; absent from targets of old versions.',
  state:
    '`pending`: the wrapper is disconnected. `sent`: the kill was sent to the wrapper. `delivered`: the wrapper has acknowledged it. `term`: the first signal was sent. `kill`: SIGKILL was sent. `gone`: nothing is left but `survivors` and `unnamed_survivors`. `refused`: the run had already ended. `lost`: the run was declared lost.',
  signal: 'The first signal at this run; null for targets of old versions.',
  exit_code: 'The reported exit code of the run; null while it is live.',
  survivors: 'Ids of processes that could not be ended.',
  unnamed_survivors: 'Whether an unknown process survives: something still holds the output.',
  related:
    'Related processes and those excluded by `LEASH_KEEP=1` (`kept`), with their parents, which were not ended. A kill of many runs does not list all of them here; the events of the runs do.',
  related_count: 'How many there are.',
  timing:
    'When the kill passed each hop on its way to this run; null while it was not sent, and for targets of old versions.',
};

const TARGET_TIMING: Record<keyof TargetTiming, string> = {
  sent_ms:
    'When it was sent to the wrapper, in milliseconds since the kill was requested, as all of these; null if unknown.',
  received_ms:
    'When the wrapper received it: half of the round trip to the wrapper after `sent_ms`, without the time that the wrapper spent itself.',
  first_signal_ms: 'When the wrapper sent the first signal, by its own clock since it received the kill.',
  last_process_gone_ms: 'When the last process was gone, by the same clock; null while any is left.',
};

const JOB: Record<keyof Job, string> = {
  name: 'The name of the job.',
  first_seen_at: 'When its first run was reported.',
  last_run: 'The run that started last.',
  running: 'The newest live runs.',
  running_count: 'How many runs are live, including those that `running` has no room for.',
  recent_ends: 'The last runs that have ended, newest start first.',
  last_ends:
    'How the job ended last on each machine, at most 300: first the ends that need attention, then the others, each newest first.',
  last_end_counts:
    'The number of machines by the state of their last end, including those that `last_ends` has no room for.',
  about: 'What the job is, as its newest run says; null if it says nothing.',
};

const BRAKE: Record<keyof Brake, string> = {
  id: 'A ULID. The `batch` of the kills that it makes.',
  jobs: 'Globs, any of which must match the job.',
  machines: 'Globs, any of which must match the machine.',
  reason: 'Why, in the words of who set it; null without.',
  until: 'When it ends by itself.',
  kill: 'Whether matching runs are killed. Otherwise it is maintenance: they run, and raise no alerts.',
  created_by: 'The name of the token that set it.',
  created_at: 'When it was set.',
};

const ALERT: Record<keyof Alert, string> = {
  id: 'A ULID.',
  name: 'The name that its messages show.',
  jobs: 'Globs, any of which must match the job.',
  machines: 'Globs, any of which must match the machine. What is about a job as a whole matches whatever they are.',
  tags: 'The run must have one of these tags; empty: any run matches.',
  on: 'The kinds of occurrences that it reports.',
  channel: 'Where its messages go.',
  kill_link: 'Whether messages about a live run have a link that kills it.',
  muted_until: 'Until when nothing is sent; what happens meanwhile is not sent later either. Null: it is not muted.',
  created_at: 'When it was created.',
  created_by: 'The name of the token that created it.',
  broken_since: 'Since when its channel does not take messages; null: it does, or none was sent yet.',
  last_failure:
    'When and why its channel last failed, by a message or a test. It stays when the channel works again, and goes when the channel is changed.',
  deliveries: 'Its newest messages, the newest first: 5 of each alert in a list, 20 of a single alert.',
};

const CHANNEL: Record<keyof Channel, string> = {
  kind: 'Which service it is.',
  url: 'Where messages are sent, or the recipient of mail. What is secret in it is masked. Absent: the service’s own address.',
  has_secret: 'Whether it has a secret, which is never shown.',
};

const DELIVERY: Record<keyof Delivery, string> = {
  id: 'Identifies the message: the same when it is sent again.',
  at: 'When it was put together; while it still collects, when that began.',
  state:
    '`waiting`: it collects, or is to be sent again. `delivered`: the receiver took it. `failed`: it was given up.',
  occurrences: 'How many occurrences it reports.',
  attempts: 'How often it was sent.',
  error: 'Why the last attempt failed; null if it did not, or there was none.',
  next_attempt_at: 'When it is sent next; null if it is not.',
};

const EXPECTATION: Record<keyof Expectation, string> = {
  job: 'The job that it is about.',
  machine: 'The machine on which runs are expected; null: a run on any machine will do.',
  every_ms: 'The time within which a run starts after the start of the one before; null: there is none.',
  schedule: 'The cron expression by which runs start; null: there is none.',
  time_zone: 'The time zone of the schedule; null: UTC, or there is no schedule.',
  late_after_ms: 'How much later than due a run may start; null: a tenth of the interval, but from 1 minute to 1 hour.',
  slow_after_ms: 'How long a run may take; null: as long as it likes.',
  source: '`run`: the command line of `leash run`. `operator`: the page or this API, which take precedence.',
  state:
    '`unknown`: no run was due yet. `ok`: the last run that was due has started. `late`: a run is due and has not started. `missed`: it had not started when the next one was due.',
  since: 'Since when it is in this state.',
  due_at: 'When the next run is due, or the one that is late; null: none is expected.',
  last_started_at: 'When the last run that counts was started; null: none was.',
  last_run: 'That run; null: none was started, or it is unknown.',
  last_run_skipped: 'Whether that run was skipped: it was due and came, and another run was in its way.',
  problem: 'Why it can’t be judged, such as a schedule that can’t be read; null: it can.',
  seq: 'Increases with every change: of two versions, the one with the higher `seq` is newer.',
};

const HABITS: Record<keyof Habits, string> = {
  every_ms: 'The usual time from the start of a run to that of the next; null: there is no pattern.',
  duration_ms: 'Between which times most runs took; null: there is no pattern.',
  runs: 'How many runs that was read from.',
};

const LAST_END: Record<keyof LastEnd, string> = {
  machine: 'Where it ran.',
  run: 'The id of the run.',
  state: 'How it ended.',
  exit_code: 'The reported exit code.',
  ended_at: 'When it ended.',
};

const TOKEN: Record<keyof Token, string> = {
  id: 'A ULID.',
  name: 'The name that kills and the audit log show.',
  scopes: 'What the token may do. `admin` includes the other scopes.',
  jobs: 'A glob: the jobs that it is valid for.',
  machines: 'A glob: the machines that runs may report from.',
  created_at: 'When it was created.',
  expires_at: 'When it expires; null for never.',
  last_used_at: 'When it was last used, to within ten minutes; null if it has not been used.',
};

const SESSION: Record<keyof Session, string> = {
  name: 'The name of the token.',
  scopes: 'What the token may do.',
  jobs: 'A glob: the jobs that it is valid for.',
  machines: 'A glob: the machines that runs may report from; absent in old versions.',
  expires_at: 'When the token expires; null for never.',
};

const INDEX_SIZE: Record<keyof IndexSize, string> = {
  bytes: 'How much D1 stores.',
  max_bytes: 'How much it can store, by the setting `D1_MAX_BYTES`.',
  warning_bytes: 'From here on the dashboard warns admins.',
  removal_bytes: 'From here on the ended runs that started first leave the index.',
};

const AUDIT_ENTRY: Record<keyof AuditEntry, string> = {
  id: 'A ULID.',
  at: 'When it happened first.',
  last_at: 'When it happened last.',
  count:
    'How often it happened. Denied requests of one caller, address, operation and reason share one entry per hour.',
  actor: 'The token, with the name it had at the time; null if the caller is unknown.',
  action: 'What was done.',
  subject:
    'A kill’s job; a brake’s or a token’s id; a denied request’s `operationId`; the job that reported a run with the id of another job’s run.',
  detail: 'Depends on the action. Never contains a secret.',
  address: 'The client’s IP address; of denied requests its /64, if it is IPv6. Null if it is unknown.',
  request_id: 'Identifies the call in the control plane’s logs.',
};

const REPORT: Record<keyof Report, string> = {
  since: 'The beginning of the period.',
  until: 'The end of the period.',
  jobs: 'What was found, by job: what is not over first, the worst first; then what is over; then what was skipped or killed. At most 200 jobs.',
  checked: 'What was looked at.',
  is_truncated: 'Whether there was more than the report has room for. Counts are then lower than they should be.',
};

const REPORTED_JOB: Record<keyof ReportedJob, string> = {
  job: 'The name of the job.',
  about: 'What the job is, as its newest run says; null if it says nothing.',
  findings: 'What was found, at most one of each kind, in the same order as the jobs.',
};

const FINDING: Record<keyof Finding, string> = {
  kind: '`failed`, `errored`, `timed_out`, `lost`, `killed`: how runs ended. `survivors`: a kill could not end all processes. `missed`, `late`: a run was due and has not started, or came late. `slow`: a run takes longer than expected, or twice as long as usual. `leftovers`: processes of an ended run are still running. `skipped`: runs asked, and did not start.',
  count: 'How many runs it is about, for `missed` and `late` how many that were due.',
  machines: 'Where, at most 20 machines, the most telling first.',
  machine_count: 'On how many machines.',
  first_at: 'When it happened first.',
  last_at: 'When it happened last.',
  is_over:
    'Whether it is over: the job has ended well since on each of these machines, a slow run has ended, or a late or missed one has come or is not expected any more.',
  run: 'The most telling run: one that is not over, the slowest or the newest; for `missed` and `late` the run that came; null if there is none.',
  usual_ms: 'For `slow`: how long the job usually takes on the machine of `run`; null if that was not compared.',
  expectation: 'For `missed` and `late` that are not over: what is expected; otherwise null.',
  overdue: 'For `missed` and `late` that are over: when it was due, and when it came; otherwise null.',
  kill: 'For `killed` and `survivors`: the newest kill; otherwise null.',
};

const OVERDUE_RUN: Record<keyof OverdueRun, string> = {
  job: 'The job that was late.',
  machine: 'The machine that it was expected on; null: any.',
  due_at: 'When it was due.',
  state: '`late`, or `missed` if it had not started when the next run was due.',
  since: 'Since when it was in this state.',
  judged_at: 'When it was first found to be late or missed.',
  ended_at:
    'When the control plane learned that it had come, or its expectation was changed or removed so that it was not late any more.',
  run: 'The id of the run that came; null: none came before it was not expected any more.',
  started_at:
    'When that run started, otherwise null. Earlier than `since` if the run was in time, and only its report was late.',
};

const CHECKED: Record<keyof Checked, string> = {
  since:
    'Since when all runs were looked at. Later than the beginning of the period if there were more runs than a report reads: of those before, only the ones that ended badly and those of four minutes and longer were.',
  runs: 'How many runs started since then.',
  jobs: 'Of how many jobs.',
  machines: 'On how many machines.',
  compared: 'How many runs of a minute and longer were compared with earlier ones.',
};

const MACHINE: Record<keyof Machine, string> = {
  name: 'The name of the machine.',
  is_connected: 'Whether a wrapper on it is connected.',
  last_seen_at:
    'When it was last heard of: now if a wrapper is connected; otherwise when a run there was disconnected or ended.',
  running_count: 'How many runs are live there.',
  job_count: 'How many jobs have ended there.',
  bad_job_count: 'How many of them ended badly last.',
  last_bad_end: 'The newest of these ends; null if there is none.',
  wrapper: 'The program that supervised its newest run; null if that is unknown.',
  wrapper_version: 'The version of that program; null if it is unknown.',
  os: 'The operating system; null if it is unknown.',
  node: 'The version of Node.js; null if it is unknown.',
};

const MACHINE_JOB: Record<keyof MachineJob, string> = {
  job: 'The name of the job.',
  last_end: 'How it ended last there; null if it has not ended there.',
  recent_ends:
    'How its last runs there ended, newest start first: at most 20, among its last 100 runs on all machines.',
  expectation: 'When it is due there; null if nothing is expected.',
};

/** By schema and field. */
export const FIELD_DESCRIPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Run: RUN,
  Kill: KILL,
  Target: TARGET,
  TargetTiming: TARGET_TIMING,
  Alert: ALERT,
  Channel: CHANNEL,
  Delivery: DELIVERY,
  Expectation: EXPECTATION,
  Habits: HABITS,
  Brake: BRAKE,
  Job: JOB,
  LastEnd: LAST_END,
  Token: TOKEN,
  Session: SESSION,
  IndexSize: INDEX_SIZE,
  AuditEntry: AUDIT_ENTRY,
  Report: REPORT,
  ReportedJob: REPORTED_JOB,
  Finding: FINDING,
  OverdueRun: OVERDUE_RUN,
  Checked: CHECKED,
  Machine: MACHINE,
  MachineJob: MACHINE_JOB,
};
