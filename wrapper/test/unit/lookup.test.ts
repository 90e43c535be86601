import { expect, test } from 'vitest';
import { findAddresses, type NameSources } from '../../src/http/lookup.ts';

function failing(code: string): () => Promise<string[]> {
  return () => Promise.reject(Object.assign(new Error(code), { code }));
}

function sources(given: Partial<NameSources>): NameSources & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    query: given.query ?? failing('ENOTFOUND'),
    hosts: given.hosts ?? (async () => '127.0.0.1 localhost\n10.0.0.9 leash.internal leash # ours\n'),
    system: async (host) => {
      asked.push(host);
      return [{ address: '10.0.0.9', family: 4 }];
    },
  };
}

test('a name server’s answer is used, without the system’s resolver', async () => {
  const from = sources({ query: async (_host, family) => (family === 4 ? ['192.0.2.1'] : ['2001:db8::1']) });
  expect(await findAddresses('leash.example.com', from)).toEqual([
    { address: '192.0.2.1', family: 4 },
    { address: '2001:db8::1', family: 6 },
  ]);
  expect(from.asked).toEqual([]);
});

test('when no name server answers, the system’s resolver is not left to find that out too', async () => {
  const from = sources({ query: failing('ETIMEOUT') });
  await expect(findAddresses('leash.example.com', from)).rejects.toThrow('no name server responded');
  expect(from.asked).toEqual([]);
});

test.each(['localhost', 'leash', 'LEASH.internal'])(
  '%s is looked up by the system, whatever DNS does',
  async (host) => {
    const from = sources({ query: failing('ETIMEOUT') });
    expect(await findAddresses(host, from)).toHaveLength(1);
    expect(from.asked).toEqual([host]);
  },
);

test('a name that the name server does not know may be known to the system', async () => {
  const from = sources({});
  expect(await findAddresses('db', from)).toHaveLength(1);
  expect(from.asked).toEqual(['db']);
});

test('one family is enough', async () => {
  const from = sources({ query: async (_host, family) => (family === 6 ? ['2001:db8::1'] : failing('ENODATA')()) });
  expect(await findAddresses('six.example.com', from)).toEqual([{ address: '2001:db8::1', family: 6 }]);
});
