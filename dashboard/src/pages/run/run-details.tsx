/** Facts about a run, apart from its state and its output. */

import { type ComponentChildren, Fragment } from 'preact';
import type { About } from '#protocol/about';
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { MachineLink } from '../../components/machine-link.tsx';
import { RunbookLink } from '../../components/runbook-link.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { Link, runPath } from '../../router.tsx';
import type { LiveUsage } from '../../state/live-usage.ts';
import type { SyncStatus } from '../../state/sync.ts';
import { LeftRunning } from './left-running.tsx';
import { RunCommand } from './run-command.tsx';
import { orphanSentence, REASON_SENTENCES, wasSeenToEnd } from './run-labels.ts';

interface RunDetailsProps {
  readonly run: Run;
  /** Whether what is shown is being kept up to date. */
  readonly syncStatus: SyncStatus['kind'];
}

export function RunDetails({ run, syncStatus, live }: RunDetailsProps & Pick<UsageFactsProps, 'live'>) {
  return (
    <section class="run-details" aria-labelledby="details">
      <h2 id="details">Details</h2>
      <Contact run={run} syncStatus={syncStatus} />
      <InItsWay run={run} />
      {run.left_running.length > 0 && <LeftRunning run={run} />}
      {run.wrapper === 'saltpeter' ? (
        <p class="aside">Saltpeter’s wrapper doesn’t report the command line.</p>
      ) : (
        <RunCommand command={run.command_line} />
      )}
      <dl class="facts">
        <Fact name="Machine">
          <MachineLink name={run.machine} />
        </Fact>
        {run.asked_at !== null && (
          <Fact name="Asked">
            <Clock at={run.asked_at} />
          </Fact>
        )}
        {hasStarted(run) && (
          <Fact name="Started">
            <Clock at={run.started_at} />
          </Fact>
        )}
        {run.ended_at !== null && (
          <Fact name="Ended">
            <Clock at={run.ended_at} />
          </Fact>
        )}
        <Fact name="PID">{run.pid ?? '–'}</Fact>
        <Fact name="Instance">{run.instance}</Fact>
        {run.user !== null && (
          <Fact name="User">
            <User run={run} user={run.user} />
          </Fact>
        )}
        {run.host !== null && <Fact name="System">{run.host.os}</Fact>}
        <Fact name="Wrapper">
          <Wrapper run={run} />
        </Fact>
        {run.fence !== null && <Fact name="Fence">{run.fence}</Fact>}
        <UsageFacts run={run} live={live} />
        {run.about !== null && <AboutFacts about={run.about} />}
        {run.timeout_ms !== null && <Fact name="Timeout">{formatDuration(run.timeout_ms)}</Fact>}
        {run.exit_code !== null && (
          <Fact name="Exit code">
            {run.exit_code}
            <OwnExit run={run} />
          </Fact>
        )}
      </dl>
    </section>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface UsageFactsProps {
  readonly run: Run;
  /** Null: nothing was reported yet, or it is over. */
  readonly live: LiveUsage | null;
}

/** What its processes take now, or took. */
function UsageFacts({ run, live }: UsageFactsProps) {
  const usage = live?.usage ?? run.usage;
  // Their places are kept: what is measured comes after the rest, and would move all that is below.
  if (usage === null) return isMeasured(run) ? <UsageToCome /> : null;
  const { cpu_ms, peak_memory_bytes, memory_bytes, read_bytes, written_bytes } = usage;
  const isNow = live !== null && run.connected;
  return (
    <>
      {cpu_ms !== null && (
        <Fact name="CPU time">
          {formatDuration(cpu_ms)}
          {isNow && live.cores !== null && <Now>{Math.round(100 * live.cores)} % of a core</Now>}
        </Fact>
      )}
      {peak_memory_bytes !== null && (
        <Fact name="Peak memory">
          {formatBytes(peak_memory_bytes)}
          {isNow && memory_bytes !== null && <Now>{formatBytes(memory_bytes)}</Now>}
        </Fact>
      )}
      {read_bytes !== null && <Fact name="Disk read">{formatBytes(read_bytes)}</Fact>}
      {written_bytes !== null && <Fact name="Disk written">{formatBytes(written_bytes)}</Fact>}
    </>
  );
}

function Now({ children }: { readonly children: ComponentChildren }) {
  return (
    <>
      {' '}
      <span class="aside unbroken">(now {children})</span>
    </>
  );
}

/** Whether the wrapper is about to report what its processes take. */
function isMeasured({ state, connected, wrapper }: Run): boolean {
  return isLive(state) && state !== 'waiting' && connected && wrapper !== 'saltpeter';
}

function UsageToCome() {
  return (
    <>
      {['CPU time', 'Peak memory', 'Disk read', 'Disk written'].map((name) => (
        <Fact key={name} name={name}>
          –
        </Fact>
      ))}
    </>
  );
}

/** What the job is, as this run says. */
function AboutFacts({ about: { tags, owner, runbook, note } }: { readonly about: About }) {
  return (
    <>
      {tags.length > 0 && <Fact name="Tags">{tags.join(', ')}</Fact>}
      {owner !== null && <Fact name="Owner">{owner}</Fact>}
      {runbook !== null && (
        <Fact name="Runbook">
          <RunbookLink url={runbook} />
        </Fact>
      )}
      {note !== null && <Fact name="Note">{note}</Fact>}
    </>
  );
}

/** Root may do anything on its machine: whoever is about to kill or to mend should see it. */
function User({ run, user }: { readonly run: Run; readonly user: string }) {
  if (user === 'root') return <span class="root-mark">root</span>;
  return (
    <>
      {user}
      {run.host?.is_root === true && <span class="aside"> (leash started by root)</span>}
    </>
  );
}

function Wrapper({ run }: { readonly run: Run }) {
  return (
    <>
      {run.wrapper === 'saltpeter' && 'Saltpeter '}
      {run.wrapper_version}
      {run.host !== null && <span class="aside"> on Node {run.host.node}</span>}
      {run.successor > 0 && <span class="aside">; took over from a killed wrapper</span>}
    </>
  );
}

/** How the command itself ended, where that is not what is reported. */
function OwnExit({ run: { exit_code, command_exit_code: own, signal } }: { readonly run: Run }) {
  if (signal !== null) return <span class="aside"> command: {signal}</span>;
  return own === null || own === exit_code ? null : <span class="aside"> command: {own}</span>;
}

/** What cannot be known of the run at present, or why it ended. */
function Contact({ run, syncStatus }: RunDetailsProps) {
  return isLive(run.state) ? <LiveContact run={run} syncStatus={syncStatus} /> : <EndedContact run={run} />;
}

/** A run that asked has no process until it was allowed to start. */
function hasStarted({ asked_at, pid }: Run): boolean {
  return asked_at === null || pid !== null;
}

/** What a run waits for, or because of which it did not start. */
function InItsWay({ run }: { readonly run: Run }) {
  const { job, state, blocked_by: runs } = run;
  if (runs.length === 0 || !(state === 'waiting' || state === 'skipped') || run.fence !== null) return null;
  return (
    <p class="in-its-way">
      {state === 'waiting' ? 'Waits for ' : 'In its way: '}
      {runs.map(({ run: id, machine, started_at }, index) => (
        <Fragment key={id}>
          {index > 0 && ', '}
          <Link to={runPath({ id, job })}>the run on {machine}</Link> (since <Clock at={started_at} />)
        </Fragment>
      ))}
      .
    </p>
  );
}

function waitText({ connected, fence, blocked_by: runs }: Run): string {
  if (!connected) return 'Disconnected. It has not started, and keeps its place in line for when it reconnects.';
  if (fence !== null) return 'Allowed to start; its machine has not confirmed the start yet.';
  return runs.length === 0 ? 'Has not started yet.' : 'Has not started yet: it starts when its turn comes.';
}

function LiveContact({ run, syncStatus }: RunDetailsProps) {
  if (syncStatus === 'connecting' || syncStatus === 'syncing') return <p class="contact">Connecting…</p>;
  if (syncStatus === 'stale') return <p class="contact warn">You’re offline – this status may be out of date.</p>;
  if (run.state === 'waiting') return <p class={run.connected ? 'contact' : 'contact warn'}>{waitText(run)}</p>;
  // Said in any case: a line that comes and goes would move everything below it.
  if (run.connected) return <p class="contact">Connected; streaming output.</p>;
  return (
    <p class="contact warn">
      Disconnected
      {run.disconnected_since !== null && (
        <>
          {' '}
          since <Clock at={run.disconnected_since} /> (<Ago at={run.disconnected_since} />)
        </>
      )}
      . It is probably still running; output is buffered on the machine until it reconnects.
    </p>
  );
}

function EndedContact({ run }: { readonly run: Run }) {
  const isUncertain = run.state === 'lost' && !(run.final && wasSeenToEnd(run.reason));
  return (
    <p class={isUncertain ? 'contact warn' : 'contact'}>
      {run.reason !== null && REASON_SENTENCES[run.reason]}
      {run.reason === 'wrapper_died' && (
        <>
          {' '}
          {orphanSentence(run)} Run <code>leash orphans</code> there to find it and <code>leash orphans --kill</code> to
          kill it.
        </>
      )}
      {run.state === 'lost' && !run.final && (
        <>
          {run.disconnected_since !== null && (
            <>
              {' '}
              Disconnected since <Clock at={run.disconnected_since} />.
            </>
          )}{' '}
          Not final: it may still be running. The status will be corrected if it reconnects.
        </>
      )}
    </p>
  );
}
