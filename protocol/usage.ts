/** What a run's processes have taken of their machine. */
import * as v from 'valibot';

const Amount = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Null: it could not be measured. */
export const Usage = v.object({
  /** User and system time of all processes of the run together. */
  cpu_ms: v.nullable(Amount),
  /** The most memory that they have had at one time. */
  peak_memory_bytes: v.nullable(Amount),
  /** What they have now; only while the run is live. */
  memory_bytes: v.optional(v.nullable(Amount), null),
  /** Read from and written to disks. */
  read_bytes: v.nullable(Amount),
  written_bytes: v.nullable(Amount),
});
export type Usage = v.InferOutput<typeof Usage>;
