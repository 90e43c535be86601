/** What is recorded of a run at its start, for a successor or a flusher. */
import os from 'node:os';
import path from 'node:path';
import type { RunAddress } from '../link/dial.ts';
import type { StartFacts as TimelessFacts } from '../link/run-report.ts';
import { bootId } from '../processes/process-ref.ts';
import type { ProcessTreeOrigin } from '../processes/process-tree.ts';
import type { Supervision } from '../state/run-file.ts';
import { nameRun } from './identity.ts';
import type { LaunchedRun } from './run-context.ts';
import type { NewRunFacts } from './run-persistence.ts';

/**
 * @param address null for an unsupervised run
 * @param origin how its processes are found; null when there are none
 * @param startFacts what is reported to the control plane
 * @param journal the directory of its journal, or null
 */
export function createRunFacts(
  launched: LaunchedRun,
  address: RunAddress | null,
  origin: ProcessTreeOrigin | null,
  startFacts: TimelessFacts,
  journal: string | null,
): NewRunFacts {
  const { startedAt, age } = launched;
  const { job, instance, machine, controlPlane } = address ?? { ...nameRun(launched), controlPlane: null };
  return {
    run: startFacts.run,
    run_key: startFacts.run_key,
    job,
    instance,
    machine,
    control_plane:
      controlPlane === null
        ? null
        : {
            url: controlPlane.baseUrl,
            token_file: controlPlane.token.kind === 'file' ? absolute(controlPlane.token.path) : null,
            ca_file: controlPlane.caFile === null ? null : absolute(controlPlane.caFile),
          },
    command_line: startFacts.command_line,
    ...(startFacts.about !== undefined && { about: startFacts.about }),
    expected: startFacts.expected,
    leash_version: startFacts.version,
    host: startFacts.host,
    limits: startFacts.limits,
    started_at_ms: startedAt.getTime(),
    started_uptime_ms: Math.max(0, os.uptime() * 1_000 - age()),
    boot_id: bootId(),
    process_tree: origin,
    supervision: supervisionOf(launched, journal),
  };
}

function supervisionOf({ options, settings, rules }: LaunchedRun, journal: string | null): Supervision {
  const logFile = options.logFile ?? settings.LEASH_LOG ?? null;
  return {
    successor: 0,
    guardian: null,
    journal,
    wrapper_death: options.wrapperDeath,
    leftovers: options.leftovers,
    signal: options.signal,
    idle_timeout_ms: options.idleTimeoutMs,
    max_offline_ms: options.maxOfflineMs,
    max_memory_bytes: options.maxMemoryBytes,
    max_cpu_ms: options.maxCpuMs,
    spool_limit_bytes: options.spoolLimitBytes,
    log_file: logFile === null ? null : absolute(logFile),
    // Includes LEASH_REDACT: a successor may have another value.
    redact: options.redaction.kind === 'off' ? null : rules.patterns.map(({ source }) => source),
  };
}

/** For a process with another current directory. */
function absolute(file: string): string {
  try {
    return path.resolve(file);
  } catch {
    // ENOENT: our directory has been deleted, and a path relative to it can't be resolved.
    return file;
  }
}
