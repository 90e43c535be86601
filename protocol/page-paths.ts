/** The paths of the dashboard's views: the Worker serves the dashboard there, and the dashboard shows the view. */

export const PAGE_PATHS = {
  overview: '/',
  lastNight: '/last-night',
  timeline: '/timeline',
  job: '/jobs/{job}',
  run: '/runs/{id}',
  machines: '/machines',
  machine: '/machines/{machine}',
  kills: '/kills',
  kill: '/kills/{id}',
  alerts: '/alerts',
  tokens: '/tokens',
  addMachine: '/add-machine',
  audit: '/audit',
} as const;

export type PageName = keyof typeof PAGE_PATHS;

export interface PageAddress {
  readonly page: PageName;
  /** The job, run, machine or kill in the path, still encoded; null if the path has none. */
  readonly name: string | null;
}

const PATTERNS = (Object.keys(PAGE_PATHS) as PageName[]).map((page) => ({
  page,
  pattern: new RegExp(`^${PAGE_PATHS[page].replace(/\{\w+\}/, '([^/]+)').replace(/\/$/, '')}/?$`),
}));

/** The view at a path, with or without a slash at its end; null if there is none. */
export function pageAt(path: string): PageAddress | null {
  for (const { page, pattern } of PATTERNS) {
    const match = pattern.exec(path);
    if (match !== null) return { page, name: match[1] ?? null };
  }
  return null;
}
