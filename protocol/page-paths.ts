/** The addresses of the page, said once: the Worker answers them with the page, and the page shows what belongs there. */

/** With what is named there, if anything, as `{…}`. */
export const PAGE_PATHS = {
  overview: '/',
  timeline: '/timeline',
  job: '/jobs/{job}',
  run: '/runs/{id}',
  kills: '/kills',
  kill: '/kills/{id}',
  tokens: '/tokens',
  audit: '/audit',
} as const;

export type PageName = keyof typeof PAGE_PATHS;

export interface PageAddress {
  readonly page: PageName;
  /** What the path names, as it stands there; null where it names nothing. */
  readonly name: string | null;
}

const PATTERNS = (Object.keys(PAGE_PATHS) as PageName[]).map((page) => ({
  page,
  pattern: new RegExp(`^${PAGE_PATHS[page].replace(/\{\w+\}/, '([^/]+)').replace(/\/$/, '')}/?$`),
}));

/** What is at a path, with or without a slash at its end; null when none of the page's addresses is. */
export function pageAt(path: string): PageAddress | null {
  for (const { page, pattern } of PATTERNS) {
    const match = pattern.exec(path);
    if (match !== null) return { page, name: match[1] ?? null };
  }
  return null;
}
