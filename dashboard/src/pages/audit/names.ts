/** The names of tokens by their ids: from the list of tokens, and from entries. Pure. */
import type { AuditEntry, Token } from '#protocol/api';

/** The one that is a secret of the deployment, and in no list. */
export const ADMIN_TOKEN_ID = 'LEASH_ADMIN_TOKEN';

export function namesOf(tokens: readonly Token[], entries: readonly AuditEntry[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { actor, action, subject, detail } of entries) {
    if (actor !== null) names.set(actor.id, actor.name);
    if (action === 'token_created' && typeof detail.name === 'string') names.set(subject, detail.name);
  }
  for (const { id, name } of tokens) names.set(id, name);
  return names;
}

/** Tokens in entries whose name is unknown. */
export function unnamed(entries: readonly AuditEntry[], names: ReadonlyMap<string, string>): string[] {
  const ids = entries
    .filter(({ action }) => action === 'token_deleted' || action === 'token_rotated')
    .map(({ subject }) => subject);
  return [...new Set(ids)].filter((id) => !names.has(id));
}

/** With the end of its id where the name is ambiguous. */
export function actorChoices(names: ReadonlyMap<string, string>): { readonly id: string; readonly label: string }[] {
  const times = new Map<string, number>();
  for (const name of names.values()) times.set(name, (times.get(name) ?? 0) + 1);
  return [...names]
    .map(([id, name]) => ({ id, label: times.get(name) === 1 ? name : `${name} (…${id.slice(-6)})` }))
    .sort((a, b) => (a.label < b.label ? -1 : 1));
}
