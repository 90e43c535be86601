import { expect, onTestFinished, test } from 'vitest';
import { ApiClient } from '../../../src/operator/api-client.ts';
import { EXIT } from '../../../src/operator/exit-codes.ts';
import { findRuns } from '../../../src/operator/kill/find-runs.ts';

test('where nothing responds, it says that nothing was killed', async () => {
  const api = new ApiClient({
    settings: {
      url: new URL('http://127.0.0.1:1'),
      token: { kind: 'value', token: 'secret' },
      tokenFrom: '$LEASH_TOKEN',
      caFile: null,
      proxyEnv: {},
    },
    version: '1.2.3',
    onWait: () => {},
  });
  onTestFinished(() => api.close());
  await expect(findRuns(api, { words: [], machines: ['web-1'], instance: null })).rejects.toMatchObject({
    message: expect.stringMatching(/^Can't reach .*\. Nothing was killed\.$/),
    exitCode: EXIT.outOfReach,
  });
});
