import { MOST_LISTED } from '../api/calls.ts';
import { countText } from '../format/quantity.ts';
import { Notice } from './notice.tsx';

interface TruncatedNoticeProps {
  /** The name of one of what is listed. */
  readonly one: string;
  /** Which of them are there, as `the newest`. */
  readonly which: string;
  /** Where the others are. */
  readonly children: string;
}

/** Says of a list that was cut that it was. */
export function TruncatedNotice({ one, which, children }: TruncatedNoticeProps) {
  return (
    <Notice tone="warn" title={`More than ${countText(MOST_LISTED, one)}`}>
      Showing {which} {MOST_LISTED}. {children}
    </Notice>
  );
}
