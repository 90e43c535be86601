import type { Log } from '../../src/logging/log.ts';

export const silent: Log = { warn() {}, info() {} };
