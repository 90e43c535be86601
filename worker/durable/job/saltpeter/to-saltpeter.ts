/** What the object says to a wrapper, in Saltpeter's words. */
import { encodeSaltpeterReply, type SaltpeterNames } from '#protocol/saltpeter-link';
import type { ObjectMessage } from '#protocol/wrapper-link';
import { SALTPETER_PROBE } from '../../../shared/rpc/saltpeter-opening.ts';

/** @returns null for what Saltpeter has no words for; acks are sent where its frames are handled */
export function toSaltpeter(message: ObjectMessage, names: SaltpeterNames): string | null {
  switch (message.type) {
    case 'kill':
      return encodeSaltpeterReply({ type: 'kill', ...names }, new Date());
    case 'probe':
      return SALTPETER_PROBE;
    // After an error of ours the link is closed: the wrapper connects again, and repeats what was not acked.
    case 'error':
    case 'ack':
    case 'answer':
    case 'flow':
    case 'flush':
      return null;
  }
}
