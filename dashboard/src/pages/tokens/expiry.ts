import type { Token } from '#protocol/api';

export function isExpired({ expires_at }: Pick<Token, 'expires_at'>, now: number): boolean {
  return expires_at !== null && Date.parse(expires_at) <= now;
}
