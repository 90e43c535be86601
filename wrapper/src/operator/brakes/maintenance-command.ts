/** `leash maintenance`: runs that ask don't start, others run without alerts. */
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { OperatorContext } from '../operator-context.ts';
import { type BrakeOrder, setBrake } from './set-brake.ts';

export interface MaintenanceArguments {
  readonly order: BrakeOrder;
  readonly asJson: boolean;
}

export async function maintenanceCommand(
  { order, asJson }: MaintenanceArguments,
  context: OperatorContext,
): Promise<ExitCode> {
  const { raw } = await setBrake(order, asJson, context);
  if (asJson) context.output.json(raw);
  return EXIT.done;
}
