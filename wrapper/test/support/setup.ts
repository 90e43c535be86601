/** For every test file. The files share a process, and so the modules: what leash.ts does by itself is done once, not for each. */
import { afterAll, afterEach } from 'vitest';
import { endWhatIsLeft, removeState } from './leash.ts';

afterEach(endWhatIsLeft);
afterAll(removeState);
