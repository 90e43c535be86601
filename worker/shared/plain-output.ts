/** A run's output as plain text: without colours, and what a progress bar overwrites as lines. */
export function plainOutput(output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour is a control sequence
  return output.replaceAll(/\u001b\[[\d;:]*m/g, '').replaceAll(/\r\n?/g, '\n');
}
