/**
 * Finds the program that a command names, as execvp would, before it is started: a shell in between would turn "not found"
 * into its own exit code, which can't be distinguished from the command's.
 */
import fs from 'node:fs';
import path from 'node:path';
import { hasCode } from '../host/error-code.ts';
import { shown, toBytes } from '../host/undecodable-bytes.ts';

export type Program =
  | { readonly kind: 'found'; readonly path: string }
  /** `why` completes "cannot start NAME: ". */
  | { readonly kind: 'unusable'; readonly why: string };

/** Where execvp looks without a PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

/**
 * @param name the command's first word
 * @param searchPath the command's own PATH
 * @param cwd the directory that it will run in; relative names and entries of PATH start there
 */
export function findProgram(name: string, searchPath: string | undefined, cwd: string): Program {
  const found = name.includes('/') ? look(path.resolve(cwd, name)) : search(name, searchPath ?? DEFAULT_PATH, cwd);
  switch (found.kind) {
    case 'found':
    case 'unusable':
      return found;
    case 'directory':
      return unusable('is a directory');
    case 'missing':
      return unusable(whyMissing(name, searchPath ?? DEFAULT_PATH));
  }
}

/** What was found at a path. */
type Look = Program | { readonly kind: 'missing' } | { readonly kind: 'directory' };

function search(name: string, searchPath: string, cwd: string): Look {
  let best: Look = { kind: 'missing' };
  for (const directory of name === '' ? [] : searchPath.split(':')) {
    const here = look(path.resolve(cwd, directory, name));
    if (here.kind === 'found') return here;
    // The search continues after a file that may not be executed, and after a directory.
    if (here.kind === 'unusable') best = here;
  }
  return best;
}

/** What a shell would interpret, and we treat as part of a name. */
const SHELL_SYNTAX = /[\s|&;<>()$`"'*?~]|^\w+=/;

function whyMissing(name: string, searchPath: string): string {
  if (SHELL_SYNTAX.test(name)) return 'not found; use --shell for a shell command line';
  return name === '' || name.includes('/') ? 'not found' : `not found on PATH (${shown(searchPath)})`;
}

function look(file: string): Look {
  try {
    const stat = fs.statSync(toBytes(file));
    if (stat.isDirectory()) return { kind: 'directory' };
    if (!stat.isFile()) return unusable('permission denied');
    fs.accessSync(toBytes(file), fs.constants.X_OK);
  } catch (error) {
    return isDenied(error) ? unusable('permission denied') : { kind: 'missing' };
  }
  const why = whyNotExecutable(file);
  return why === null ? { kind: 'found', path: file } : unusable(why);
}

function unusable(why: string): Program {
  return { kind: 'unusable', why };
}

function isDenied(error: unknown): boolean {
  return hasCode(error, 'EACCES');
}

/**
 * Why the kernel can't execute this file. Its own error for a missing interpreter is "not found", and it hides that a
 * program is damaged, because a shell runs what the kernel refuses as a script.
 */
function whyNotExecutable(file: string): string | null {
  let head: Buffer;
  try {
    head = readHead(file);
  } catch {
    // A program may be executable without being readable: then only the kernel knows.
    return null;
  }
  if (head.subarray(0, 2).toString('latin1') === '#!') return missingScriptInterpreter(head);
  if (isDamaged(head) && !hasOtherFormats()) {
    return 'it is not an executable for this system: damaged, truncated, or built for another';
  }
  const loader = elfInterpreter(head);
  if (loader === null || fs.existsSync(loader)) return null;
  return `its loader ${loader} is not found: it is built for another system`;
}

function missingScriptInterpreter(head: Buffer): string | null {
  const line = head.subarray(2).toString('latin1').split('\n', 1)[0] ?? '';
  const interpreter = /^[ \t]*([^ \t]+)/.exec(line)?.[1];
  if (interpreter === undefined || !interpreter.startsWith('/')) return null;
  try {
    fs.accessSync(interpreter, fs.constants.X_OK);
    return null;
  } catch {
    // Missing or not executable: in both cases the kernel refuses the script.
    if (interpreter.endsWith('\r')) return `its first line ends in a carriage return: ${JSON.stringify(`#!${line}`)}`;
    return `its interpreter ${interpreter} is not found or not executable`;
  }
}

/** Enough for a first line, and for the program headers of a usual ELF file. */
const HEAD_BYTES = 4096;

function readHead(file: string): Buffer {
  const fd = fs.openSync(toBytes(file), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, fs.readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    fs.closeSync(fd);
  }
}

const ELF_MAGIC = Buffer.from('\x7fELF\x02\x01', 'latin1');
const ELF_HEADER_BYTES = 64;
const ELF_MACHINES: Readonly<Record<string, number>> = {
  x64: 62,
  arm64: 183,
  ppc64: 21,
  s390x: 22,
  riscv64: 243,
  loong64: 258,
};

/** Neither text nor an ELF file that the kernel accepts. 32-bit files and other byte orders are not checked. */
function isDamaged(head: Buffer): boolean {
  const isElf = head.subarray(0, 4).toString('latin1') === '\x7fELF';
  // As shells check it: a script has no NUL in its first line.
  if (!isElf) return head.toString('latin1').split('\n', 1)[0]?.includes('\0') === true;
  if (head.length < ELF_MAGIC.length) return true;
  if (!head.subarray(0, ELF_MAGIC.length).equals(ELF_MAGIC)) return false;
  if (head.length < ELF_HEADER_BYTES) return true;
  const type = head.readUInt16LE(16);
  const machine = ELF_MACHINES[process.arch];
  const tableEnd = Number(head.readBigUInt64LE(32)) + head.readUInt16LE(54) * head.readUInt16LE(56);
  const isCutOff = head.length < HEAD_BYTES && tableEnd > head.length;
  return (type !== 2 && type !== 3) || (machine !== undefined && head.readUInt16LE(18) !== machine) || isCutOff;
}

/** Whether other file formats are registered with this kernel (qemu, Wine, Java). */
function hasOtherFormats(): boolean {
  try {
    return fs.readdirSync('/proc/sys/fs/binfmt_misc').some((name) => name !== 'register' && name !== 'status');
  } catch {
    // Not mounted.
    return false;
  }
}
const PT_INTERP = 3;

/** The loader that a 64-bit little-endian ELF file names; null without one, or for another kind of file. */
function elfInterpreter(head: Buffer): string | null {
  if (!head.subarray(0, ELF_MAGIC.length).equals(ELF_MAGIC) || head.length < ELF_HEADER_BYTES) return null;
  const tableStart = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const entries = head.readUInt16LE(56);
  for (let index = 0; index < entries; index += 1) {
    const entry = tableStart + index * entryBytes;
    if (entry + 40 > head.length) return null;
    if (head.readUInt32LE(entry) !== PT_INTERP) continue;
    const start = Number(head.readBigUInt64LE(entry + 8));
    const end = start + Number(head.readBigUInt64LE(entry + 32)) - 1;
    return end > start && end <= head.length ? head.subarray(start, end).toString() : null;
  }
  return null;
}
