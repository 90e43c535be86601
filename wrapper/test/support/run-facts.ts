/** Properties that a run on disk may have. */
import type { RunFacts } from '../../src/state/run-file.ts';

let runs = 0;

export function someFacts(changes: Partial<RunFacts> = {}): Omit<RunFacts, 'version'> {
  runs += 1;
  return {
    run: `01K${String(runs).padStart(23, '0')}`,
    run_key: '00112233445566778899aabbccddeeff',
    job: 'backup',
    instance: 'backup_1',
    machine: 'minion',
    control_plane: { url: 'https://leash.example', token_file: '/etc/leash.token', ca_file: null },
    command_line: 'backup --all',
    leash_version: '0.1.0',
    limits: { timeout_ms: null, grace_ms: 5_000 },
    started_at_ms: Date.now(),
    started_uptime_ms: 1_000,
    boot_id: 'a-boot',
    wrapper: { pid: 10, startTime: '1', bootId: 'a-boot' },
    process_tree: null,
    supervision: {
      successor: 0,
      guardian: null,
      journal: null,
      wrapper_death: 'keep',
      leftovers: 'tell',
      signal: 'SIGTERM',
      idle_timeout_ms: null,
      max_offline_ms: null,
      max_memory_bytes: null,
      max_cpu_ms: null,
      spool_limit_bytes: null,
      log_file: null,
      redact: null,
    },
    ...changes,
  };
}
