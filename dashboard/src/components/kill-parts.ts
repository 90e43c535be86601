/** Loaded together: who could order a kill sees what becomes of it. */
export { KillBar } from './kill-bar.tsx';
export { KillDialog } from './kill-dialog.tsx';
