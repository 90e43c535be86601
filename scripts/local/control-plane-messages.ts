/** What a control plane in a process of its own and the process that started it say to each other. */
import type { ControlPlaneOptions } from './control-plane.ts';

export type ControlPlaneRequest =
  | { readonly type: 'start'; readonly id: number; readonly options: ControlPlaneOptions }
  | { readonly type: 'sweep'; readonly id: number }
  | {
      readonly type: 'query';
      readonly id: number;
      readonly sql: string;
      readonly bindings: readonly (string | number | null)[];
    }
  | { readonly type: 'stop'; readonly id: number };

export type ControlPlaneAnswer =
  | { readonly type: 'done'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly message: string; readonly actionable: boolean };
