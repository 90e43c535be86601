/** `leash brakes`: what is active, and ends one. */
import { type Brake, Brake as BrakeSchema } from '#protocol/brakes';
import type { Received } from '../api-client.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { hasPart, isPartOfId, shortId } from '../find-run.ts';
import { take } from '../list-runs.ts';
import type { OperatorContext } from '../operator-context.ts';
import { OperatorError } from '../operator-error.ts';
import { relativeTime } from '../relative-time.ts';
import type { Column } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { brakeTitle } from './brake-text.ts';

export async function listBrakes(asJson: boolean, { api, output }: OperatorContext): Promise<ExitCode> {
  const brakes = await activeBrakes({ api });
  if (asJson) output.json(brakes.map(({ raw }) => raw));
  else if (brakes.length === 0) output.note('no brakes, and no maintenance');
  else
    output.table(
      columns(api.now(), output.terminal),
      brakes.map(({ value }) => value),
    );
  return EXIT.done;
}

/** @param id the whole id, or the beginning or end of it */
export async function endBrake(id: string, asJson: boolean, { api, output }: OperatorContext): Promise<ExitCode> {
  const { value, raw } = chosen(await activeBrakes({ api }), id);
  await api.send({ method: 'DELETE', path: `/brakes/${value.id}` });
  if (asJson) output.json(raw);
  else output.line(`Ended: ${brakeTitle(value)}.`);
  return EXIT.done;
}

function activeBrakes({ api }: Pick<OperatorContext, 'api'>): Promise<Received<Brake>[]> {
  return take(api.list(BrakeSchema, 'brakes', { path: '/brakes' }));
}

function chosen(brakes: readonly Received<Brake>[], id: string): Received<Brake> {
  const found = brakes.filter(({ value }) => value.id === id || (isPartOfId(id) && hasPart(value.id, id)));
  const [only, ...others] = found;
  if (only === undefined) {
    throw new OperatorError(
      `No brake has an id that begins or ends with ${id}, or it has ended. leash brakes lists them.`,
      EXIT.notFound,
    );
  }
  if (others.length === 0) return only;
  const ids = found.map(({ value }) => value.id).join(', ');
  throw new OperatorError(`${found.length} brakes have such an id: ${ids}. Give more of it.`, EXIT.usage);
}

function columns(nowMs: number, terminal: Terminal): readonly Column<Brake>[] {
  return [
    { header: 'BRAKE', text: ({ id }) => (terminal.columns === null ? id : shortId(id)), style: () => 'dim' },
    {
      header: 'KIND',
      text: ({ kill }) => (kill ? 'brake' : 'maintenance'),
      style: ({ kill }) => (kill ? 'red' : null),
    },
    { header: 'JOBS', text: ({ jobs }) => jobs.join(','), style: () => 'bold', leastWidth: 12 },
    { header: 'MACHINES', text: ({ machines }) => machines.join(','), leastWidth: 10 },
    { header: 'ENDS', text: ({ until }) => relativeTime(until, nowMs) },
    { header: 'BY', text: ({ created_by }) => created_by, leastWidth: 8 },
    { header: 'REASON', text: ({ reason }) => reason ?? '', leastWidth: 10, leaveOut: 1 },
  ];
}
