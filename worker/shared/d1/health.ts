/** Whether D1 answers at all. */
import { d1Failure } from './failure.ts';

/** Asks for nothing that a schema must have. */
export async function isAnswering(db: D1Database): Promise<boolean> {
  try {
    await db.prepare('SELECT 1').first();
    return true;
  } catch (error) {
    if (d1Failure(error) === null) throw error;
    return false;
  }
}
