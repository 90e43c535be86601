/** Runs a program to its end. */
import { type SpawnOptions, spawn } from 'node:child_process';

export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  /** All that it printed, in order. Empty, like stdout, if that went to the terminal. */
  readonly output: string;
}

export function runProgram(program: string, args: readonly string[], options: SpawnOptions): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, options);
    let stdout = '';
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      output += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 1, stdout, output }));
  });
}
