/** `leash maintenance`: runs that ask don't start, others run without alerts. */
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { OperatorContext } from '../operator-context.ts';
import { brakeLine } from './brake-text.ts';
import { type BrakeOrder, endHint, setBrake } from './set-brake.ts';

export interface MaintenanceArguments {
  readonly order: BrakeOrder;
  readonly asJson: boolean;
}

export async function maintenanceCommand(
  { order, asJson }: MaintenanceArguments,
  context: OperatorContext,
): Promise<ExitCode> {
  const { value, raw } = await setBrake(order, context);
  if (asJson) context.output.json((raw as { readonly brake: unknown }).brake);
  else {
    context.output.line(`${brakeLine(value.brake, context.api.now())}.`);
    context.output.line(endHint(value.brake));
  }
  return EXIT.done;
}
