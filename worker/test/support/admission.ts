import { vi } from 'vitest';
import { Admission } from '../../src/http/admission.ts';

/** For a test of what a crowd does once it is let in. */
export function admitEveryone(): void {
  vi.spyOn(Admission.prototype, 'ask').mockReturnValue({ kind: 'admitted', leave: () => {} });
}
