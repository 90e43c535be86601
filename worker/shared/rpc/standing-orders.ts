/** How the Worker tells a job's object which brakes match a run whose wrapper connects. */
import * as v from 'valibot';
import { StandingOrder } from '#protocol/brakes';

const Orders = v.array(StandingOrder);

const PARAMETER = 'orders';

/** Nothing where there are none, as almost always. */
export function ordersParameter(orders: readonly StandingOrder[]): Record<string, string> {
  return orders.length === 0 ? {} : { [PARAMETER]: JSON.stringify(orders) };
}

/** None if an older Worker has sent the request. */
export function readOrders(parameters: URLSearchParams): StandingOrder[] {
  return v.parse(Orders, JSON.parse(parameters.get(PARAMETER) ?? '[]'));
}
