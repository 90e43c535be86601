/**
 * What stands over everything, whoever is signed in and wherever they have gone meanwhile: it must not be lost because the
 * page below has changed.
 */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';

export const overlay = signal<ComponentChildren>(null);

export function Overlay() {
  return <>{overlay.value}</>;
}
