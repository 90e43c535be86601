/** What a run took, for people: `1m 30s of CPU time, 64 MiB of memory at most, 12 MiB read, 3 KiB written`. */
import type { Usage } from '#protocol/usage';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';

/** Empty when nothing could be measured. */
export function usageText({ cpu_ms, peak_memory_bytes, read_bytes, written_bytes }: Usage): string {
  const parts = [
    cpu_ms === null ? null : `${formatDuration(cpu_ms)} of CPU time`,
    peak_memory_bytes === null ? null : `${formatBytes(peak_memory_bytes)} of memory at most`,
    read_bytes === null ? null : `${formatBytes(read_bytes)} read`,
    written_bytes === null ? null : `${formatBytes(written_bytes)} written`,
  ];
  return parts.filter((part) => part !== null).join(', ');
}
