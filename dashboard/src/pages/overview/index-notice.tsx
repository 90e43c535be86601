/** Warns admins before the index is full. */
import { signal } from '@preact/signals';
import type { IndexSize } from '#protocol/api';
import { formatBytes } from '#shared/format-bytes';
import { fetchIndex } from '../../api/calls.ts';
import { Notice } from '../../components/notice.tsx';
import { useReload } from '../../state/use-reload.ts';

/** Kept while other pages are shown: the notice is there at once when the overview is opened again. */
const index = signal<IndexSize | null>(null);

async function loadIndex(): Promise<void> {
  const answer = await fetchIndex();
  // It is not worth an error of its own: what hinders it hinders the lists as well.
  if (answer.ok) index.value = answer.value;
}

export function IndexNotice() {
  useReload(loadIndex);
  const text = index.value === null ? null : indexWarning(index.value);
  if (text === null) return null;
  return (
    <Notice tone="warn" title={text.title}>
      {text.detail} You don’t have to do anything. To make room yourself, lower <code>RUN_DAYS</code>, which removes old
      runs with their output, or <code>AUDIT_DAYS</code>
      {text.mayGrow && (
        <>
          ; on a paid plan, raise <code>D1_MAX_BYTES</code>
        </>
      )}
      .
    </Notice>
  );
}

/** The size of a D1 database on a paid plan: it can't be raised. */
const LARGEST_BYTES = 10_000_000_000;

export interface IndexWarning {
  readonly title: string;
  readonly detail: string;
  /** Whether the limit can be raised. */
  readonly mayGrow: boolean;
}

/** Null while there is room. */
export function indexWarning({ bytes, max_bytes, warning_bytes, removal_bytes }: IndexSize): IndexWarning | null {
  if (bytes < warning_bytes) return null;
  const percent = (part: number) => `${Math.floor((100 * part) / max_bytes)} %`;
  const size = `All lists are read from it, and it holds ${formatBytes(bytes)} of ${formatBytes(max_bytes)}.`;
  const removal =
    bytes < removal_bytes
      ? `At ${percent(removal_bytes)} the oldest ended runs leave the lists`
      : 'The oldest ended runs are leaving the lists to make room for new ones';
  return {
    title: `The index is ${percent(bytes)} full`,
    detail: `${size} ${removal}; their own pages and their output stay.`,
    mayGrow: max_bytes < LARGEST_BYTES,
  };
}
