/** A `fetch` that checks every response of a control plane. A module, because it replaces the original only once. */
import { Conformance, type OpenApiDocument } from '#testing/conformance';

const bare = globalThis.fetch;
const AT_ROOT = ['/healthz', '/openapi.json', '/metrics'];
const conformances = new Map<string, Promise<Conformance>>();

/** Violations that no test has reported yet. */
export const violations: string[] = [];

globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  const { origin, pathname } = new URL(request.url);
  const response = await bare(input, init);
  // The rest is the page's files, and tests of their own have servers of their own.
  if (pathname.startsWith('/api/') || AT_ROOT.includes(pathname)) {
    const known = conformances.get(origin) ?? conformanceOf(origin);
    conformances.set(origin, known);
    const violation = await (await known).check({ method: request.method, pathname }, response);
    if (violation !== null) violations.push(violation);
  }
  return response;
};

async function conformanceOf(origin: string): Promise<Conformance> {
  const response = await bare(`${origin}/openapi.json`);
  return new Conformance((await response.json()) as OpenApiDocument);
}
