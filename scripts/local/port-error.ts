/** Why nothing can listen on the port, and a way out. `command` is what was typed, for the example. */
export function describePortError(port: number, error: NodeJS.ErrnoException, command: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} is taken. Is Leash running already? Another port: ${command} -- --port ${port + 1}`;
    case 'EACCES':
      return `Port ${port} needs more rights than this user has. Take one above 1023: ${command} -- --port 8787`;
    default:
      return `Port ${port} can't be listened on: ${error.message}`;
  }
}
