/** Why the server cannot listen on the port, and what to do. `command` is what was typed, for the example. */
export function describePortError(port: number, error: NodeJS.ErrnoException, command: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} is already in use. Is Leash running already? To use another port: ${command} -- --port ${port + 1}`;
    case 'EADDRNOTAVAIL':
      return `This machine does not have the address to listen on: ${error.message}`;
    case 'EACCES':
      return `Port ${port} requires privileges that this user lacks. To use another port: ${command} -- --port 8787`;
    default:
      return `Cannot listen on port ${port}: ${error.message}`;
  }
}
